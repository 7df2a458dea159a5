-- description: An event is dated more than 30 s behind an event that its shard sent before it.
-- needs: events.timestamp, run
-- A date ahead of the record that carries it says nothing about the time of day; it is somebody else's finding.
SELECT DISTINCT 'late' AS kind, _shard AS shard, _sequence AS sequence
FROM (
    SELECT _shard, _sequence, timestamp,
           max(timestamp) FILTER (timestamp <= _timestamp + INTERVAL 1 SECOND) OVER (
               PARTITION BY _shard ORDER BY _sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS newest
    FROM run_events
)
WHERE timestamp < newest - INTERVAL 30 SECONDS
