-- description: for each user, the sink has the number of videos that were played (columns user_id, events)
SELECT
    coalesce(CAST(sent.user_id AS VARCHAR), CAST(stored.user_id AS VARCHAR)) AS user_id,
    sent.events AS sent,
    stored.events AS stored
FROM (
    SELECT user_id, count(*) AS events FROM truth WHERE CAST(event_type AS VARCHAR) = 'VideoPlayed' GROUP BY user_id
) AS sent
FULL JOIN (SELECT user_id, CAST(events AS BIGINT) AS events FROM sink) AS stored
    ON CAST(stored.user_id AS VARCHAR) = CAST(sent.user_id AS VARCHAR)
WHERE sent.events IS DISTINCT FROM stored.events
