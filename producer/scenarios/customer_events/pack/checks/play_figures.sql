-- severity: blocking
-- description: Play duration, percentage and completion lie in their bounds and agree with each other.
-- needs: events.content.duration, events.details.play_duration, events.details.play_percentage, events.details.completed, events.details.buffering_incidents, run
SELECT offending, format('{} of {} plays: {}', offending, total, rule) AS detail
FROM (
    UNPIVOT (
        SELECT
            count(*) AS total,
            count(*) FILTER (details.play_duration < 0 OR details.play_duration > content.duration)
                AS "duration below 0 or above the content's",
            count(*) FILTER (details.play_percentage NOT BETWEEN 0 AND 100) AS "percentage outside 0 to 100",
            count(*) FILTER (
                content.duration > 0
                AND abs(details.play_percentage - 100.0 * details.play_duration / content.duration) > 0.01
            ) AS "percentage differs from duration played",
            count(*) FILTER (details.completed <> (details.play_percentage >= 95)) AS "completed does not mean 95 percent",
            count(*) FILTER (details.buffering_incidents < 0) AS "negative buffering incidents"
        FROM run_events
        WHERE details IS NOT NULL AND content IS NOT NULL
    ) ON * EXCLUDE (total) INTO NAME rule VALUE offending
)
WHERE offending > 0
