-- severity: blocking
-- description: Every batch of the ledger adds up, and the rows that it counts are there.
SELECT
    abs(end_offset - start_offset - events - quarantined - tombstones - absent - expired) AS offending,
    format('batch {} partition {}: {} offsets, {} accounted for', batch, partition, end_offset - start_offset,
           events + quarantined + tombstones + absent + expired) AS detail
FROM load_batches
WHERE end_offset - start_offset <> events + quarantined + tombstones + absent + expired
UNION ALL
SELECT abs(rows - counted), format('batch {} partition {}: the ledger counts {} events, {} are there', batch, partition, counted, rows)
FROM (
    SELECT batch, partition, coalesce(counted, 0) AS counted, coalesce(rows, 0) AS rows
    FROM (SELECT batch, partition, sum(events) AS counted FROM load_batches GROUP BY ALL)
    FULL JOIN (SELECT _batch AS batch, _partition AS partition, count(*) AS rows FROM events GROUP BY ALL)
        USING (batch, partition)
)
WHERE rows <> counted
UNION ALL
-- A replay moves records out of quarantine under a batch of its own: only the sum of a partition stays comparable.
SELECT abs(rows - counted), format('partition {}: the ledger counts {} in quarantine, {} are there', partition, counted, rows)
FROM (
    SELECT partition, coalesce(counted, 0) AS counted, coalesce(rows, 0) AS rows
    FROM (SELECT partition, sum(quarantined) AS counted FROM load_batches GROUP BY ALL)
    FULL JOIN (SELECT _partition AS partition, count(*) AS rows FROM quarantine GROUP BY ALL) USING (partition)
)
WHERE rows <> counted
