-- title: Event mix
-- description: {total} stored events by type.
-- kind: shares
-- needs: events.event_type
SELECT event_type AS type, count(*) AS events FROM run_events GROUP BY 1 ORDER BY 2 DESC, 1
