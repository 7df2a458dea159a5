-- description: A click is dated more than 30 s behind a click that its shard sent before it.
-- needs: events.eventtimestamp, run
SELECT DISTINCT 'late' AS kind, _shard AS shard, _sequence AS sequence
FROM (
    SELECT _shard, _sequence, eventtimestamp,
           max(eventtimestamp) FILTER (eventtimestamp <= epoch_ms(_timestamp) + 1000) OVER (
               PARTITION BY _shard ORDER BY _sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS newest
    FROM run_events
)
WHERE eventtimestamp < newest - 30000
