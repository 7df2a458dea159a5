-- description: A key has more than 20 events and more than ten times as many as 99 in 100 keys have at most.
-- needs: run
WITH keys AS (
    SELECT _key, count(*) AS events FROM run_events WHERE _key IS NOT NULL GROUP BY _key
),
hot AS (
    SELECT _key FROM keys
    WHERE events > 20 AND events > 10 * (SELECT quantile_disc(events, 0.99) FROM keys)
)
SELECT DISTINCT 'hot_key' AS kind, _shard AS shard, _sequence AS sequence
FROM run_events
WHERE _key IN (SELECT _key FROM hot)
