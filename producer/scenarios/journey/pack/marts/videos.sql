-- description: How often each video was played, how long on average, and how often to its end.
-- needs: events.video, events.page_url
SELECT
    _run_id AS run_id,
    video.video_id AS video_id,
    any_value(page_url) AS page_url,
    any_value(video.duration_s) AS duration_s,
    count(*) AS played,
    count(*) FILTER (video.completed) AS completed,
    round(avg(video.watched_s), 1) AS mean_watched_s
FROM events
WHERE video IS NOT NULL
GROUP BY _run_id, video.video_id
ORDER BY run_id, played DESC, video_id
