-- title: Event mix
-- description: {total} stored events by name.
-- kind: shares
-- needs: events.eventName
SELECT "eventName" AS type, count(*) AS events FROM run_events GROUP BY 1 ORDER BY 2 DESC, 1
