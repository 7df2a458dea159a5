-- severity: warning
-- description: Only content_play, search and browse occur, and in a run of 1,000 events or more each has at least 1 %.
-- needs: events.event_type, events.content.id, run
WITH mix AS (
    SELECT event_type, count(*) AS events FROM run_events GROUP BY event_type
)
SELECT events AS offending, format('{} events of the unknown type {}', events, coalesce(event_type, 'null')) AS detail
FROM mix
WHERE event_type IS NULL OR event_type NOT IN ('content_play', 'search', 'browse')
UNION ALL
SELECT 1, format('{}: {:.2f} % of {} events', expected.event_type, 100.0 * coalesce(events, 0) / all_events.total, all_events.total)
FROM (SELECT unnest(['content_play', 'search', 'browse']) AS event_type) AS expected
LEFT JOIN mix USING (event_type)
CROSS JOIN (SELECT count(*) AS total FROM run_events) AS all_events
WHERE all_events.total >= 1000 AND coalesce(events, 0) < 0.01 * all_events.total
