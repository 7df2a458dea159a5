-- description: An event is dated more than 30 s behind an event that its shard sent before it.
-- needs: run
-- A date ahead of the record that carries it says nothing about the time of day; it is somebody else's finding.
SELECT DISTINCT 'late' AS kind, shard, sequence
FROM (
    SELECT shard, sequence, happened_at,
           max(happened_at) FILTER (happened_at <= recorded_at + INTERVAL 1 MINUTE) OVER (
               PARTITION BY shard ORDER BY sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS newest
    FROM run_signals
)
WHERE happened_at < newest - INTERVAL 30 SECONDS
