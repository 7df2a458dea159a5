-- description: Events by the second in which Kafka got them.
SELECT _run_id AS run_id, CAST(date_trunc('second', _timestamp) AS TIMESTAMPTZ) AS second, count(*) AS events
FROM events
GROUP BY ALL
ORDER BY run_id, second
