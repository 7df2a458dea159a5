-- severity: blocking
-- description: Each shard has as many stored events as its manifest acknowledged.
-- needs: run
-- Unknown sequences may or may not have arrived, so the count may lie between acknowledged and both together.
WITH stored AS (
    SELECT shard, count(DISTINCT sequence) AS stored FROM run_records GROUP BY shard
),
unknown AS (
    SELECT shard, count(*) AS unknown FROM run_unsure WHERE outcome = 'unknown' GROUP BY shard
)
SELECT
    greatest(acknowledged - stored, stored - acknowledged - unknown) AS offending,
    format('shard {}: {} acknowledged, {} unknown, {} stored', shard, acknowledged, unknown, stored) AS detail
FROM (
    SELECT shard, acknowledged, coalesce(unknown, 0) AS unknown, coalesce(stored, 0) AS stored
    FROM run_shards
    LEFT JOIN stored USING (shard)
    LEFT JOIN unknown USING (shard)
    WHERE status = 'finished'
)
WHERE stored NOT BETWEEN acknowledged AND acknowledged + unknown
UNION ALL
SELECT 1, format('{} of {} shards have a finished manifest', finished, expected)
FROM (SELECT count(*) FILTER (status = 'finished') AS finished, coalesce(max(expected_shards), 0) AS expected
      FROM run_shards)
WHERE finished < expected OR expected = 0
