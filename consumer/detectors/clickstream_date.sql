-- description: A click is dated after the record that carries it, by more than a minute.
-- needs: events.eventtimestamp, run
-- At the pace of the scenario a click is dated when it is due, and sent about then: a clock may differ a little.
SELECT DISTINCT 'altered.future_date' AS kind, _shard AS shard, _sequence AS sequence
FROM run_events
WHERE eventtimestamp > epoch_ms(_timestamp) + 60000
