-- severity: blocking
-- description: Identity, person, session, type, time and page are never null and never empty.
-- needs: events.event_id, events.user_id, events.session_id, events.event_type, events.occurred_at, events.page_url, run
SELECT offending, format('{}: {} of {} null or empty', field, offending, total) AS detail
FROM (
    UNPIVOT (
        SELECT
            count(*) AS total,
            count(*) FILTER (coalesce(event_id, '') = '') AS event_id,
            count(*) FILTER (coalesce(user_id, '') = '') AS user_id,
            count(*) FILTER (coalesce(session_id, '') = '') AS session_id,
            count(*) FILTER (coalesce(CAST(event_type AS VARCHAR), '') = '') AS event_type,
            count(*) FILTER (occurred_at IS NULL) AS occurred_at,
            count(*) FILTER (coalesce(page_url, '') = '') AS page_url
        FROM run_events
    ) ON event_id, user_id, session_id, event_type, occurred_at, page_url INTO NAME field VALUE offending
)
WHERE offending > 0
