-- title: Plays by genre and device
-- description: {total} plays. Most on one device: {row} on {column}, {most}.
-- kind: heatmap
-- needs: events.event_type, events.content.genre, events.device.type
SELECT content.genre AS genre, device.type AS device, count(*) AS plays
FROM run_events
WHERE event_type = 'content_play'
GROUP BY 1, 2
