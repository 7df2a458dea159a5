-- The findings of an audit: one pass over the records of the run, then small tables. See relations.py for the inputs.

-- Events whose columns say something else than their records; whoever can tell fills it (../inside/column_proof.py).
CREATE OR REPLACE TEMP TABLE columns_differ (shard INTEGER, sequence BIGINT, partition INTEGER, "offset" BIGINT);

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
LEFT JOIN run_unsure AS unsure ON unsure.shard = once.shard AND unsure.sequence = once.sequence
LEFT JOIN (FROM run_faults WHERE kind = 'dropped') AS dropped
    ON dropped.shard = once.shard AND dropped.sequence = once.sequence;

-- Acknowledged, or left out on purpose, and stored nowhere.
CREATE OR REPLACE TEMP TABLE missing AS
SELECT shard, sequence
FROM (
    SELECT claim.shard, numbers.sequence
    FROM run_shards AS claim, range(claim.first_sequence, claim.next_sequence) AS numbers(sequence)
    WHERE claim.status = 'finished'
)
ANTI JOIN run_unsure USING (shard, sequence)
ANTI JOIN (SELECT shard, sequence FROM stored WHERE shard IS NOT NULL AND standing <> 'phantom') USING (shard, sequence);

-- Windows of sequences, with what is claimed and what is stored. A sum can only be compared where every
-- acknowledged event of the window is stored, and where no two copies of one differ.
CREATE OR REPLACE TEMP TABLE compared AS
WITH sums AS (
    SELECT shard, (sequence - claim.first_sequence) // size AS number, count(*) AS present,
           sum(CAST(crc32 AS HUGEINT)) AS found, bool_or(copies_differ) AS mixed
    FROM stored
    JOIN (SELECT shard, first_sequence FROM run_shards) AS claim USING (shard)
    JOIN (SELECT shard, min(size) AS size FROM run_windows GROUP BY shard) AS sizes USING (shard)
    WHERE standing = 'acknowledged'
    GROUP BY ALL
),
unsure AS (
    SELECT shard, (sequence - first_sequence) // size AS number, count(*) AS unsure
    FROM (SELECT shard, sequence FROM run_unsure
          UNION
          SELECT shard, sequence FROM run_faults WHERE kind = 'dropped')
    JOIN (SELECT shard, first_sequence FROM run_shards) USING (shard)
    JOIN (SELECT shard, min(size) AS size FROM run_windows GROUP BY shard) USING (shard)
    GROUP BY ALL
)
SELECT windows.shard, windows.first, windows.next, windows.claimed,
       coalesce(sums.found, 0) AS found,
       coalesce(sums.present, 0) AS present,
       coalesce(sums.mixed, FALSE) OR coalesce(sums.present, 0) + coalesce(unsure.unsure, 0) < windows.next - windows.first
           AS incomparable
FROM (SELECT *, (first - first_sequence) // size AS number
      FROM run_windows JOIN (SELECT shard, first_sequence FROM run_shards) USING (shard)) AS windows
LEFT JOIN sums USING (shard, number)
LEFT JOIN unsure USING (shard, number);

-- Cheap and sufficient: where no shard steps back within a partition, no key of it does.
CREATE OR REPLACE TEMP TABLE steps_back AS
SELECT DISTINCT shard
FROM (
    SELECT shard, sequence,
           lag(sequence) OVER (PARTITION BY shard, position >> 48 ORDER BY position) AS before
    FROM stored
    WHERE standing <> 'phantom'
)
WHERE sequence < before;

-- A constant that is false when the next statement is planned makes its plan empty.
SET VARIABLE any_steps_back = (SELECT count(*) > 0 FROM steps_back);

-- Exact, and only for shards that step back: first copies with a later event of the same key at a lower offset.
CREATE OR REPLACE TEMP TABLE reordered AS
SELECT shard, sequence, position
FROM (
    SELECT first_copy.shard, first_copy.sequence, first_copy.position,
           max(first_copy.sequence) OVER (
               PARTITION BY record.key, record.partition, record.shard ORDER BY first_copy.position
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS latest_before
    FROM stored AS first_copy
    JOIN run_records AS record
      ON record.shard = first_copy.shard AND record.sequence = first_copy.sequence
     AND record.partition = first_copy.position >> 48
     AND record."offset" = first_copy.position & 281474976710655
    WHERE getvariable('any_steps_back')
      AND first_copy.shard IN (SELECT shard FROM steps_back)
      AND first_copy.standing <> 'phantom'
      AND record.key IS NOT NULL
)
WHERE sequence < latest_before;
