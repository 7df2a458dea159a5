-- severity: blocking
-- description: Content and play details are there for every play; details are there for nothing else.
-- needs: events.event_type, events.content.id, events.details.play_duration, run
SELECT offending, format('{} of {} {}', offending, total, what) AS detail
FROM (
    SELECT count(*) AS total, count(*) FILTER (content IS NULL) AS offending, 'plays have no content' AS what
    FROM run_events WHERE event_type = 'content_play'
    UNION ALL
    SELECT count(*), count(*) FILTER (details IS NULL), 'plays have no details'
    FROM run_events WHERE event_type = 'content_play'
    UNION ALL
    SELECT count(*), count(*) FILTER (details IS NOT NULL), 'other events have play details'
    FROM run_events WHERE event_type <> 'content_play'
)
WHERE offending > 0
