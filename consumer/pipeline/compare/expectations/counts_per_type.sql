-- description: for each event type, the sink counts as many as were sent (columns event_type, events)
SELECT
    coalesce(sent.event_type, CAST(stored.event_type AS VARCHAR)) AS event_type,
    sent.events AS sent,
    stored.events AS stored
FROM (SELECT event_type, count(*) AS events FROM truth GROUP BY event_type) AS sent
FULL JOIN (SELECT event_type, CAST(events AS BIGINT) AS events FROM sink) AS stored
    ON stored.event_type = sent.event_type
WHERE sent.events IS DISTINCT FROM stored.events
