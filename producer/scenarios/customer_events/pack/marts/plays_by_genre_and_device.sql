-- description: Plays, hours played and completion by genre and device type.
-- needs: events.event_type, events.content.genre, events.device.type, events.details.play_duration, events.details.completed
SELECT _run_id AS run_id, content.genre AS genre, device.type AS device, count(*) AS plays,
       round(sum(details.play_duration) / 3600.0, 1) AS hours_played,
       round(100.0 * count(*) FILTER (details.completed) / count(*), 1) AS completed_percent
FROM events
WHERE event_type = 'content_play'
GROUP BY ALL
ORDER BY run_id, genre, device
