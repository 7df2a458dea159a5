-- description: each row of the sink is an event joined with the first one of its user (columns event_id, user_id, first_event_id)
WITH first AS (SELECT user_id, min(event_id) AS first_event_id FROM truth GROUP BY user_id),
joined AS (SELECT event_id, user_id, first_event_id FROM truth JOIN first USING (user_id))
SELECT
    coalesce(joined.event_id, CAST(stored.event_id AS VARCHAR)) AS event_id,
    joined.first_event_id AS should_be,
    stored.first_event_id AS is_there
FROM joined
FULL JOIN sink AS stored ON CAST(stored.event_id AS VARCHAR) = joined.event_id
WHERE joined.first_event_id IS DISTINCT FROM CAST(stored.first_event_id AS VARCHAR)
   OR joined.user_id IS DISTINCT FROM CAST(stored.user_id AS VARCHAR)
