-- What contradicts the ledger, batch by batch: one sentence a row. ledger.py proves the sums of each partition.
WITH ledger AS (
    SELECT batch, partition, min(start_offset) AS first, max(end_offset) AS after, bool_and(start_offset = end_offset) AS moved,
           sum(events) AS events, sum(tombstones) AS tombstones, sum(crc_sum) AS crc_sum,
           list_sort(list_distinct(flatten(list(schema_ids)))) AS schema_ids
    FROM load_batches GROUP BY ALL
),
replayed AS (
    SELECT DISTINCT partition FROM load_batches WHERE quarantined < 0
),
places AS (
    SELECT 'events' AS place, _batch AS batch, _partition AS partition, _offset AS "offset", _crc32 AS crc32 FROM events
    UNION ALL
    SELECT 'quarantine', batch, _partition, _offset, crc32 FROM quarantine
    UNION ALL
    SELECT 'tombstones', batch, _partition, _offset, 0 FROM tombstones
),
loaded AS (
    SELECT batch, partition, count(*) FILTER (place = 'events') AS events,
           count(*) FILTER (place = 'tombstones') AS tombstones, sum(crc32) AS crc_sum
    FROM places GROUP BY ALL
),
ids AS (
    SELECT _batch AS batch, _partition AS partition, list_sort(list_distinct(list(_schema_id))) AS schema_ids
    FROM events GROUP BY ALL
)
SELECT format('batch {} partition {} is in the ledger {} times', batch, partition, count(*)) AS fault
FROM load_batches GROUP BY batch, partition HAVING count(*) > 1
UNION ALL
SELECT format('batch {} has rows of several loads or times', batch)
FROM load_batches GROUP BY batch
HAVING count(DISTINCT (load_id, loaded_at, fetch_s, decode_s, insert_s)) > 1
UNION ALL
SELECT format('batch {} partition {} counts less than nothing', batch, partition)
FROM load_batches
WHERE least(events, tombstones, absent, expired, value_bytes, fetch_s, decode_s, insert_s, end_offset - start_offset) < 0
   OR (quarantined < 0 AND start_offset < end_offset)
UNION ALL
SELECT format('{}: partition {} offset {} is in batch {}, which the ledger does not have for it', place,
              coalesce(CAST(partition AS VARCHAR), 'NULL'), coalesce(CAST("offset" AS VARCHAR), 'NULL'),
              coalesce(CAST(batch AS VARCHAR), 'NULL'))
FROM places ANTI JOIN ledger USING (batch, partition)
UNION ALL
SELECT format('{}: partition {} offset {} is outside its batch {}, which holds {} to {}', place, partition,
              coalesce(CAST("offset" AS VARCHAR), 'NULL'), batch, first, after - 1)
FROM places JOIN ledger USING (batch, partition)
WHERE "offset" IS NULL OR "offset" >= after OR ("offset" < first AND NOT moved)
UNION ALL
SELECT format('batch {} partition {} has {} events, its ledger says {}', batch, partition, coalesce(loaded.events, 0), ledger.events)
FROM ledger LEFT JOIN loaded USING (batch, partition)
WHERE ledger.events <> coalesce(loaded.events, 0)
UNION ALL
SELECT format('batch {} partition {} has {} tombstones of runs, its ledger says {} in all', batch, partition, loaded.tombstones, ledger.tombstones)
FROM ledger JOIN loaded USING (batch, partition)
WHERE loaded.tombstones > ledger.tombstones
UNION ALL
-- A replay moves records to a batch of its own, and leaves the checksum where it was.
SELECT format('batch {} partition {} has a checksum of {}, its ledger says {}', batch, partition, coalesce(loaded.crc_sum, 0), ledger.crc_sum)
FROM ledger ANTI JOIN replayed USING (partition)
LEFT JOIN loaded USING (batch, partition)
WHERE ledger.crc_sum <> coalesce(loaded.crc_sum, 0)
UNION ALL
SELECT format('batch {} partition {} has schema ids {}, its ledger says {}', batch, partition, coalesce(ids.schema_ids, []), ledger.schema_ids)
FROM ledger LEFT JOIN ids USING (batch, partition)
WHERE NOT moved AND list_sort(ledger.schema_ids) <> coalesce(ids.schema_ids, [])
ORDER BY 1
