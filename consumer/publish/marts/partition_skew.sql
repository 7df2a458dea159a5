-- description: Events and keys by partition, and how far each is from an even share.
WITH counted AS (
    SELECT _run_id AS run_id, _partition AS partition, count(*) AS events, count(DISTINCT _key) AS keys
    FROM events
    GROUP BY _run_id, _partition
)
SELECT *,
       round(100.0 * events / sum(events) OVER run, 3) AS percent,
       round(100.0 * (events * count(*) OVER run / sum(events) OVER run - 1), 3) AS percent_above_even
FROM counted
WINDOW run AS (PARTITION BY run_id)
ORDER BY run_id, partition
