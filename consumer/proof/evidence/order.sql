-- Events behind a later one of their key; after identities.sql.

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

-- Exact, and only for shards that step back: first copies with a later event of the same key at a lower offset. Those of
-- one position (of one moment, in a column) have no order among themselves: a group is what lies at one.
CREATE OR REPLACE TEMP TABLE reordered AS
SELECT shard, sequence, position
FROM (
    SELECT first_copy.shard, first_copy.sequence, first_copy.position,
           max(first_copy.sequence) OVER (
               PARTITION BY record.key, record.partition, record.shard ORDER BY first_copy.position
               GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
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
