-- severity: blocking
-- description: No event of the run is stored twice.
-- needs: run
SELECT copies - 1 AS offending, format('shard {} sequence {} is stored {} times', shard, sequence, copies) AS detail
FROM (
    SELECT shard, sequence, count(*) AS copies
    FROM run_records
    GROUP BY shard, sequence
    HAVING count(*) > 1
)
