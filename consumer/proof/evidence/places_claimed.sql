-- Whether records lie where the delivery reports said: windows of the manifests against the stored records.
-- After identities.sql.

-- What the shards claim: one row per window.
CREATE OR REPLACE TEMP TABLE placed_claims AS
SELECT shard, size, CAST(said[1] AS INTEGER) AS partition, CAST(said[2] AS BIGINT) AS number,
       CAST(said[3] AS BIGINT) AS records, said[4] AS total
FROM (
    SELECT shard, placed.size AS size, unnest(placed.windows) AS said
    FROM (
        SELECT shard, from_json(document -> 'placed', '{"size": "BIGINT", "windows": [["UBIGINT"]]}') AS placed
        FROM run_shards WHERE status = 'finished'
    )
    WHERE placed IS NOT NULL
);

-- Events of which it is not known how many records there are, or whose bytes are not those that were sent: a sum over
-- them says nothing about places.
CREATE OR REPLACE TEMP TABLE placeless AS
SELECT shard, sequence FROM run_faults WHERE unsure
UNION
SELECT shard, sequence FROM stored WHERE copies_differ AND standing = 'acknowledged' AND shard IS NOT NULL
UNION
SELECT stored.shard, stored.sequence
FROM stored
JOIN (FROM compared WHERE NOT incomparable AND claimed <> found) AS altered
    ON altered.shard = stored.shard AND stored.sequence >= altered.first AND stored.sequence < altered.next;

-- The stored records that have a place in the windows; a malformed identity has no shard, and is a phantom. A time that
-- no record can have, as it is finer than Kafka's, is given as it is; a place or a checksum that somebody emptied is -1,
-- which is none. A record that was never answered counts on no side.
CREATE OR REPLACE TEMP VIEW placed_records AS
SELECT record.shard, coalesce(record.partition, -1) AS partition, coalesce(record."offset", -1) // size AS number,
       coalesce(record."offset", -1) AS "offset", key, coalesce(CAST(crc32 AS BIGINT), -1) AS crc32,
       CASE WHEN recorded_at IS NULL THEN -1
            WHEN epoch_us(recorded_at) % 1000 = 0 THEN epoch_us(recorded_at) // 1000
            ELSE epoch_us(recorded_at) END AS at_ms,
       unclear.sequence IS NOT NULL AS unclear
FROM (FROM run_records ANTI JOIN run_unsure USING (shard, sequence)) AS record
JOIN (SELECT DISTINCT shard, size FROM placed_claims) AS sizes ON sizes.shard = record.shard
LEFT JOIN placeless AS unclear ON unclear.shard = record.shard AND unclear.sequence = record.sequence;

CREATE OR REPLACE TEMP TABLE placed_sums
    (shard INTEGER, partition INTEGER, number BIGINT, records BIGINT, total UBIGINT, unclear BOOLEAN);
