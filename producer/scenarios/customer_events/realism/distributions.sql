-- What docs/realism.md declares, as the data shows it: one statement for each name. Tables and views as in rules.sql.

-- events
SELECT count(*), min(timestamp), max(timestamp), count(DISTINCT left(event_id, 18)) FROM checked;

-- mix
SELECT event_type, count(*) FROM checked GROUP BY 1;

-- hours
SELECT location.timezone, hour((timestamp AT TIME ZONE 'UTC') AT TIME ZONE location.timezone), count(*)
FROM checked GROUP BY 1, 2;

-- titles
SELECT content.id, count(*) FROM checked WHERE event_type = 'content_play' AND content.season IS NULL GROUP BY 1;

-- turns
SELECT shard, half, sessions, count(*) FROM (
    SELECT left(event_id, 18) AS shard, ('0x' || string_split(session_id, '-')[2])::BIGINT % 2 AS half, user_id,
           count(DISTINCT session_id) AS sessions
    FROM checked GROUP BY 1, 2, 3)
GROUP BY 1, 2, 3;

-- blocks
SELECT left(event_id, 18), ('0x' || string_split(session_id, '-')[2])::BIGINT % 2, count(DISTINCT string_split(session_id, '-')[2])
FROM checked GROUP BY 1, 2;

-- plans
SELECT plan, count(*) FROM (SELECT arg_min(subscription.plan, event_id) AS plan FROM checked GROUP BY user_id) GROUP BY 1;

-- plays
SELECT count(*), count(*) FILTER (details.completed), count(*) FILTER (details.play_percentage < 12) FROM checked
WHERE event_type = 'content_play';

-- pauses
SELECT quantile_cont(ln(duration), [0.1587, 0.5, 0.8413]) FROM action WHERE kind = 'pause';

-- bandwidth
SELECT network, quantile_cont(ln(bandwidth), [0.1587, 0.5, 0.8413]) FROM flat WHERE network IS NOT NULL GROUP BY 1;

-- stalls
SELECT sum(stalls), sum(ran_h * greatest(needed_bandwidth, 1.5) / bandwidth) FROM (
    SELECT details.buffering_incidents AS stalls, details.bandwidth AS bandwidth, q.bandwidth AS needed_bandwidth,
           date_diff('ms', actions[1].timestamp, timestamp) / 3600000
           - list_sum([coalesce(a.duration, 0) FOR a IN actions IF a.action_type = 'pause'] || [0]) / 3600 AS ran_h
    FROM checked JOIN qualities q ON q.name = details.playback_quality WHERE event_type = 'content_play');

-- gaps
SELECT event_type, quantile_cont(ln(gap_ms / 1000), [0.1587, 0.5, 0.8413]) FROM (
    SELECT event_type, date_diff('ms', lag(timestamp) OVER (PARTITION BY session_id ORDER BY event_id),
               CASE WHEN event_type = 'content_play' THEN actions[1].timestamp ELSE timestamp END) AS gap_ms
    FROM checked)
WHERE gap_ms > 0 GROUP BY 1;

-- clicks
SELECT count(*), count(*) FILTER (clicked) FROM (
    SELECT event_type, content IS NULL AS home, len(actions) > 0 AS clicked,
           lead(content.id) OVER (PARTITION BY session_id ORDER BY event_id) AS next_id
    FROM checked)
WHERE event_type = 'browse' AND home AND next_id IS NOT NULL;

-- looks
SELECT count(*), count(*) FILTER (id IS NOT DISTINCT FROM next_id) FROM (
    SELECT event_type, content.id AS id, lead(event_type) OVER own AS next_type, lead(content.id) OVER own AS next_id
    FROM checked WINDOW own AS (PARTITION BY session_id ORDER BY event_id))
WHERE event_type = 'browse' AND next_type = 'content_play';

-- follows
SELECT count(*), count(*) FILTER (own_id = episodes.following) FROM (
    SELECT content.id AS own_id, lag(content.id) OVER own AS before_id, lag(details.completed) OVER own AS completed
    FROM checked WHERE event_type = 'content_play' WINDOW own AS (PARTITION BY session_id ORDER BY event_id))
JOIN episodes ON episodes.id = before_id
WHERE completed AND NOT episodes.last;
