-- severity: warning
-- description: All events of a key are in one partition, so that their order is kept.
-- needs: run
SELECT partitions - 1 AS offending, format('a key is in {} partitions', partitions) AS detail
FROM (
    SELECT count(DISTINCT partition) AS partitions FROM run_records WHERE key IS NOT NULL GROUP BY key
)
WHERE partitions > 1
