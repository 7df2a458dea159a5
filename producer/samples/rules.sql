-- What holds of the files: a row for each rule, with how many rows break it. `clicks` has the files' columns and
-- `filename`, `articles` those of theirs; `$begin_ms` is when the first hour begins.
SELECT 'size' AS rule, 'a session has as many clicks as it says' AS text, count(*) AS violations
FROM (SELECT 1 FROM clicks GROUP BY session_id HAVING count(*) <> max(session_size) OR min(session_size) <> max(session_size))
UNION ALL
SELECT 'one user', 'a session has one user and one start', count(*)
FROM (SELECT 1 FROM clicks GROUP BY session_id HAVING count(DISTINCT user_id) > 1 OR count(DISTINCT session_start) > 1)
UNION ALL
SELECT 'inside', 'a click lies in the two hours from the start of its session on', count(*)
FROM clicks WHERE click_timestamp NOT BETWEEN session_start AND session_start + 7200000
UNION ALL
SELECT 'order', 'the clicks of a session follow each other', count(*)
FROM (SELECT 1 FROM clicks GROUP BY session_id HAVING count(DISTINCT click_timestamp) < count(*))
UNION ALL
SELECT 'hour', 'a file has the sessions that begin in its hour', count(*)
FROM clicks
WHERE regexp_extract(filename, 'clicks_hour_(\d+)', 1)::BIGINT <> (session_start - $begin_ms) // 3600000
UNION ALL
SELECT 'there', 'the article is in the catalogue, and was created before the click', count(*)
FROM clicks LEFT JOIN articles ON article_id = click_article_id
WHERE article_id IS NULL OR click_timestamp < created_at_ts
UNION ALL
SELECT 'same', 'a user keeps device, system, environment, country and region', count(*)
FROM (
    SELECT 1 FROM clicks GROUP BY user_id
    HAVING count(DISTINCT (click_environment, click_deviceGroup, click_os, click_country, click_region)) > 1
)
UNION ALL
SELECT 'fits', 'a desktop has no app, and a system runs on its devices', count(*)
FROM clicks
WHERE NOT CASE click_deviceGroup
    WHEN 1 THEN click_os IN (17, 20, 13) AND click_environment IN (4, 1)
    WHEN 3 THEN click_os IN (20, 2, 12) AND click_environment IN (4, 2, 1)
    WHEN 4 THEN click_os IN (2, 12) AND click_environment IN (4, 2)
    ELSE false
END
UNION ALL
SELECT 'at home', 'regions 1 to 28 are those of country 1', count(*)
FROM clicks WHERE (click_country = 1) <> (click_region <= 28)
UNION ALL
SELECT 'apart', 'the sessions of a user do not overlap', count(*)
FROM (
    SELECT session_start < lag(ends) OVER (PARTITION BY user_id ORDER BY session_start, session_id) AS too_early
    FROM (
        SELECT user_id, session_id, min(session_start) AS session_start, max(click_timestamp) AS ends
        FROM clicks GROUP BY ALL
    )
)
WHERE too_early
UNION ALL
SELECT 'section', 'a category belongs to one publisher', count(*)
FROM (SELECT 1 FROM articles GROUP BY category_id HAVING count(DISTINCT publisher_id) > 1)
UNION ALL
SELECT 'once', 'an article is in the catalogue once, with 0 words or more', count(*)
FROM (SELECT 1 FROM articles GROUP BY article_id HAVING count(*) > 1 OR min(words_count) < 0)
