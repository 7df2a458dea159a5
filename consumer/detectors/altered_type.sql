-- description: The type of an event is none of those that there are.
-- needs: events.event_type, events.details.play_duration, run
SELECT DISTINCT 'altered.unknown_text' AS kind, _shard AS shard, _sequence AS sequence
FROM run_events
WHERE event_type NOT IN ('content_play', 'search', 'browse')
