-- description: Record times of a shard lie more than a minute outside the time in which its manifest says it ran.
-- needs: run
WITH skewed AS (
    SELECT shard
    FROM (SELECT shard, min(recorded_at) AS earliest, max(recorded_at) AS latest FROM run_records GROUP BY shard)
    JOIN run_shards USING (shard)
    WHERE earliest < started_at - INTERVAL 1 MINUTE OR latest > ended_at + INTERVAL 1 MINUTE
)
SELECT DISTINCT 'clock_skew' AS kind, shard, sequence
FROM run_records
WHERE shard IN (SELECT shard FROM skewed)
