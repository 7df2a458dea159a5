-- Which identities are stored, and which are missing: one pass over the records of the run. See relations.py for the inputs.

-- Which of the records were never acknowledged. A few sequences are told one by one; of many, only those that are stored.
SET VARIABLE many_unsure = (SELECT coalesce(sum(next - first), 0) > 1000000 FROM unsure_ranges);
CREATE OR REPLACE TEMP TABLE unsure_stored AS
SELECT shard, sequence, outcome FROM run_unsure WHERE NOT getvariable('many_unsure')
UNION ALL
SELECT DISTINCT record.shard, record.sequence, gap.outcome
FROM (SELECT shard, sequence FROM run_records WHERE getvariable('many_unsure')) AS record
ASOF JOIN unsure_ranges AS gap ON record.shard = gap.shard AND record.sequence >= gap.first
WHERE record.sequence < gap.next;

-- One row per stored identity. standing says how the manifests see it:
-- acknowledged | unknown (neither acknowledged nor refused) | phantom | unjudged (its shard has not finished).
CREATE OR REPLACE TEMP TABLE stored AS
SELECT
    once.*,
    CASE
        WHEN once.shard IS NULL THEN 'phantom'
        WHEN claim.shard IS NULL AND once.shard >= getvariable('expected_shards') THEN 'phantom'
        WHEN claim.status IS DISTINCT FROM 'finished' THEN 'unjudged'
        WHEN once.sequence < claim.first_sequence OR once.sequence >= claim.next_sequence THEN 'phantom'
        WHEN unsure.outcome = 'failed' THEN 'phantom'
        WHEN dropped.sequence IS NOT NULL THEN 'phantom'
        WHEN unsure.outcome = 'unknown' THEN 'unknown'
        ELSE 'acknowledged'
    END AS standing
FROM (
    SELECT shard, sequence,
           -- A malformed identity is its own: two of them are not one event stored twice.
           CASE WHEN shard IS NULL THEN event_id END AS malformed,
           count(*) AS copies,
           min(crc32) AS crc32,
           min(crc32) <> max(crc32) AS copies_differ,
           -- Partition and offset of the first copy in one number, for speed.
           min((CAST(partition AS BIGINT) << 48) | "offset") AS position
    FROM run_records
    GROUP BY ALL
) AS once
LEFT JOIN run_shards AS claim USING (shard)
LEFT JOIN unsure_stored AS unsure ON unsure.shard = once.shard AND unsure.sequence = once.sequence
LEFT JOIN (FROM run_faults WHERE kind = 'dropped') AS dropped
    ON dropped.shard = once.shard AND dropped.sequence = once.sequence;

-- Acknowledged, or left out on purpose, and stored nowhere.
CREATE OR REPLACE TEMP TABLE missing AS
FROM (SELECT shard, numbers.sequence FROM sure_ranges, range(first, next) AS numbers(sequence))
ANTI JOIN (SELECT shard, sequence FROM stored WHERE shard IS NOT NULL AND standing <> 'phantom') USING (shard, sequence);
