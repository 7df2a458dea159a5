-- What was found of what was injected. After the SQL of ../evidence; the detectors stand in as one union of what they select.

-- What the pipeline found, by kind, as identities: shard, sequence.
CREATE OR REPLACE TEMP TABLE found_faults AS
SELECT 'dropped' AS kind, shard, sequence FROM missing
UNION ALL
SELECT 'duplicate', shard, sequence FROM stored WHERE copies > 1 AND shard IS NOT NULL
UNION ALL
SELECT DISTINCT 'tombstone', shard, sequence FROM run_records WHERE place = 'tombstones'
UNION ALL
SELECT DISTINCT 'undecodable.' || error_class, event_shard(event_id), event_sequence(event_id)
FROM quarantine_identities WHERE starts_with(event_id, getvariable('id_start'))
UNION ALL
SELECT 'out_of_order', shard, sequence FROM reordered
UNION ALL
SELECT * FROM ({detectors});

DELETE FROM found_faults WHERE shard IS NULL;  -- a malformed identity is a phantom

-- One row per identity and kind, injected or found. An injected fault counts as found when its family was found there:
-- a decoder may well call a cut value by another name. What was never answered is neither missed nor a false alarm.
CREATE OR REPLACE TEMP TABLE scored_faults AS
WITH truth AS (
    SELECT kind, split_part(kind, '.', 1) AS family, shard, sequence, bool_or(unsure) AS unsure
    FROM run_faults GROUP BY ALL
),
found AS (
    SELECT min(kind) AS kind, split_part(kind, '.', 1) AS family, shard, sequence
    FROM found_faults GROUP BY split_part(kind, '.', 1), shard, sequence
)
SELECT coalesce(truth.kind, found.kind) AS kind,
       coalesce(truth.shard, found.shard) AS shard,
       coalesce(truth.sequence, found.sequence) AS sequence,
       truth.kind IS NOT NULL AS injected,
       found.kind IS NOT NULL AS found
FROM truth FULL JOIN found USING (family, shard, sequence)
WHERE NOT coalesce(truth.unsure, FALSE)
  AND (coalesce(truth.shard, found.shard), coalesce(truth.sequence, found.sequence))
      NOT IN (SELECT (shard, sequence) FROM run_unsure);
