-- description: An event is dated after the record that carries it, by more than 1 s.
-- needs: events.timestamp, run
SELECT DISTINCT 'altered.future_date' AS kind, _shard AS shard, _sequence AS sequence
FROM run_events
WHERE timestamp > _timestamp + INTERVAL 1 SECOND
