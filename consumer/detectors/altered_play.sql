-- description: The duration of a play is below zero.
-- needs: events.details.play_duration, run
SELECT DISTINCT 'altered.negative_duration' AS kind, _shard AS shard, _sequence AS sequence
FROM run_events
WHERE details.play_duration < 0
