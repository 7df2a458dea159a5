-- severity: warning
-- description: Every event of the run was loaded within an hour of being written to Kafka.
-- needs: run
SELECT count(*) AS offending,
       format('the slowest was loaded {} minutes after it was written',
              CAST(max(date_diff('minute', _timestamp, loaded_at)) AS BIGINT)) AS detail
FROM run_events
JOIN (SELECT batch, max(loaded_at) AS loaded_at FROM load_batches GROUP BY batch) AS batches ON batches.batch = _batch
WHERE loaded_at > _timestamp + INTERVAL 1 HOUR
HAVING count(*) > 0
UNION ALL
SELECT 1, 'no event of the run is loaded'
WHERE NOT EXISTS (FROM run_events) AND EXISTS (FROM run_shards WHERE acknowledged > 0)
