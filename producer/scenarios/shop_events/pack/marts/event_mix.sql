-- description: Events by name, and their share of the run.
-- needs: events.eventName
WITH counted AS (
    SELECT _run_id AS run_id, "eventName" AS event_name, count(*) AS events
    FROM events
    GROUP BY _run_id, "eventName"
)
SELECT *, round(100.0 * events / sum(events) OVER (PARTITION BY run_id), 3) AS percent
FROM counted
ORDER BY run_id, events DESC, event_name
