-- For checks: what a rehearsal injected is left out, so that they judge the rest. The audit scores what was injected.

CREATE OR REPLACE TEMP TABLE injected_copies AS
SELECT max((CAST(partition AS BIGINT) << 48) | "offset") AS position
FROM run_records
JOIN (SELECT DISTINCT shard, sequence FROM run_faults WHERE kind = 'duplicate') USING (shard, sequence)
GROUP BY shard, sequence
HAVING count(*) > 1;

CREATE OR REPLACE TEMP TABLE injected_events AS
SELECT DISTINCT record.partition, record."offset"
FROM run_records AS record
JOIN (SELECT DISTINCT shard, sequence FROM run_faults WHERE split_part(kind, '.', 1) IN ('altered', 'late'))
    USING (shard, sequence);

INSERT INTO left_out
SELECT position >> 48, position & 281474976710655, TRUE FROM injected_copies
UNION ALL
SELECT partition, "offset", FALSE FROM injected_events;
