-- description: for each category, publisher, device and hour (UTC), clicks, users and sessions are those of the clicks that were sent, joined with the newest articles
-- proves: {place} has clicks, users and sessions of all {events} clicks that were sent, for each category, publisher, device and hour, joined with the newest metadata of their articles
-- Needs: --also articles=TOPIC. Newest is what was sent last of an article, by shard and number.
WITH newest AS (
    SELECT article_id,
           arg_max({'category_id': category_id, 'publisher_id': publisher_id}, {'shard': _shard, 'number': _sequence}) AS said
    FROM articles GROUP BY article_id
),
sent AS (
    SELECT said.category_id AS category_id, said.publisher_id AS publisher_id, click_deviceGroup AS device_group,
           strftime(click_timestamp AT TIME ZONE 'UTC', '%Y-%m-%d') AS date,
           CAST(extract('hour' FROM click_timestamp AT TIME ZONE 'UTC') AS INTEGER) AS hour,
           count(*) AS clicks, count(DISTINCT user_id) AS users, count(DISTINCT session_id) AS sessions
    FROM truth LEFT JOIN newest ON newest.article_id = truth.click_article_id
    GROUP BY ALL
),
stored AS (
    SELECT CAST(category_id AS BIGINT) AS category_id, CAST(publisher_id AS BIGINT) AS publisher_id,
           CAST(device_group AS BIGINT) AS device_group, CAST(date AS VARCHAR) AS date, CAST(hour AS INTEGER) AS hour,
           sum(CAST(clicks AS BIGINT)) AS clicks, max(CAST(users AS BIGINT)) AS users,
           max(CAST(sessions AS BIGINT)) AS sessions, count(*) AS rows
    FROM sink GROUP BY ALL
)
SELECT coalesce(sent.date, stored.date) AS date, coalesce(sent.hour, stored.hour) AS hour,
       coalesce(sent.category_id, stored.category_id) AS category_id,
       coalesce(sent.publisher_id, stored.publisher_id) AS publisher_id,
       coalesce(sent.device_group, stored.device_group) AS device_group,
       'clicks ' || coalesce(sent.clicks, 0) || ', users ' || coalesce(sent.users, 0)
           || ', sessions ' || coalesce(sent.sessions, 0) AS sent,
       'clicks ' || coalesce(stored.clicks, 0) || ', users ' || coalesce(stored.users, 0)
           || ', sessions ' || coalesce(stored.sessions, 0) || ', in rows ' || coalesce(stored.rows, 0) AS stored
FROM sent
FULL JOIN stored
    ON stored.category_id IS NOT DISTINCT FROM sent.category_id
    AND stored.publisher_id IS NOT DISTINCT FROM sent.publisher_id
    AND stored.device_group IS NOT DISTINCT FROM sent.device_group
    AND stored.date = sent.date AND stored.hour = sent.hour
WHERE (stored.clicks, stored.users, stored.sessions, stored.rows) IS DISTINCT FROM (sent.clicks, sent.users, sent.sessions, 1)
