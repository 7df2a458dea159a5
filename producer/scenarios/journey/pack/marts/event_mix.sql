-- description: Events by type, and their share of the run.
-- needs: events.event_type
WITH counted AS (
    SELECT _run_id AS run_id, event_type, count(*) AS events
    FROM events
    GROUP BY _run_id, event_type
)
SELECT *, round(100.0 * events / sum(events) OVER (PARTITION BY run_id), 3) AS percent
FROM counted
ORDER BY run_id, events DESC, event_type
