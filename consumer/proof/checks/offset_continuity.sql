-- severity: blocking
-- description: The ledger covers every partition without a gap and without an overlap, up to the next offset.
WITH ranges AS (
    SELECT partition, start_offset, end_offset,
           lag(end_offset) OVER (PARTITION BY partition ORDER BY start_offset, end_offset) AS previous
    FROM load_batches
    WHERE start_offset < end_offset
)
SELECT
    abs(start_offset - previous) AS offending,
    format('partition {}: offsets {} to {} are {}', partition, least(previous, start_offset),
           greatest(previous, start_offset) - 1, CASE WHEN start_offset > previous THEN 'in no batch' ELSE 'in two batches' END)
        AS detail
FROM ranges
WHERE start_offset <> previous
UNION ALL
SELECT abs(next_offset - reached), format('partition {}: next offset {}, ledger ends at {}', partition, next_offset, reached)
FROM load_offsets
JOIN (SELECT partition, max(end_offset) AS reached FROM ranges GROUP BY partition) USING (partition)
WHERE next_offset <> reached
UNION ALL
SELECT 1, format('partition {} is in the ledger and has no position', partition)
FROM (SELECT DISTINCT partition FROM ranges) ANTI JOIN load_offsets USING (partition)
