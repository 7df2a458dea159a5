-- severity: blocking
-- description: No Kafka record is stored twice: each partition and offset is there once.
-- Sorting every position would cost seconds at ten million rows; counting distinct ones as numbers does not.
SELECT rows - positions AS offending,
       format('partition {}: {} rows at {} positions', partition, rows, positions) AS detail
FROM (
    SELECT partition, count(*) AS rows, count(DISTINCT "offset") AS positions
    FROM (
        SELECT _partition AS partition, _offset AS "offset" FROM events
        UNION ALL
        SELECT _partition, _offset FROM quarantine
    )
    GROUP BY partition
)
WHERE rows > positions
