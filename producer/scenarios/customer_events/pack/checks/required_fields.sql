-- severity: blocking
-- description: Identity, type, customer, session and time are never null and never empty.
-- needs: events.event_id, events.event_type, events.user_id, events.session_id, events.timestamp, run
SELECT offending, format('{}: {} of {} null or empty', field, offending, total) AS detail
FROM (
    UNPIVOT (
        SELECT
            count(*) AS total,
            count(*) FILTER (coalesce(event_id, '') = '') AS event_id,
            count(*) FILTER (coalesce(event_type, '') = '') AS event_type,
            count(*) FILTER (coalesce(user_id, '') = '') AS user_id,
            count(*) FILTER (coalesce(session_id, '') = '') AS session_id,
            count(*) FILTER (timestamp IS NULL) AS timestamp
        FROM run_events
    ) ON event_id, event_type, user_id, session_id, timestamp INTO NAME field VALUE offending
)
WHERE offending > 0
