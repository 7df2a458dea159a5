-- What the manifests of the run at hand claim: the relations of the proof that do not depend on where records are.
-- From the tables manifests and manifest_faults. Everything is temporary. Variable: run_id.

-- What each shard says about itself; one row per manifest. "expected_shards" is how many there must be.
CREATE OR REPLACE TEMP TABLE run_shards AS
SELECT
    shard,
    status,
    said.shards AS expected_shards,
    said.first_sequence,
    said.next_sequence,
    said.acknowledged,
    CAST(said.started_at AS TIMESTAMPTZ) AS started_at,
    CAST(said.ended_at AS TIMESTAMPTZ) AS ended_at,
    document
FROM (
    SELECT *, from_json(document, '{"shards": "INTEGER", "first_sequence": "BIGINT", "next_sequence": "BIGINT",
                                   "acknowledged": "BIGINT", "started_at": "VARCHAR", "ended_at": "VARCHAR"}') AS said
    -- One that somebody made unreadable says nothing here; whoever needs it refuses it by name.
    FROM (SELECT * REPLACE (CASE WHEN json_valid(document) THEN document END AS document) FROM manifests)
    WHERE run_id = getvariable('run_id')
);

-- Ranges [first, next) of sequences that a finished shard generated and Kafka did not acknowledge. outcome: failed |
-- unknown. In a ledger they are offsets without a record, of which a compacted partition has far more than records.
CREATE OR REPLACE TEMP TABLE unsure_ranges AS
SELECT shard, outcome, gap[1] AS first, gap[2] AS next
FROM (
    SELECT shard, 'failed' AS outcome, unnest(from_json(document -> 'failed', '[["BIGINT"]]')) AS gap
    FROM run_shards WHERE status = 'finished'
    UNION ALL
    SELECT shard, 'unknown' AS outcome, unnest(from_json(document -> 'unknown', '[["BIGINT"]]')) AS gap
    FROM run_shards WHERE status = 'finished'
)
WHERE gap[1] < gap[2];

-- The same, one row per sequence: only for what no ledger is asked.
CREATE OR REPLACE TEMP VIEW run_unsure AS
SELECT shard, outcome, range AS sequence FROM unsure_ranges, range(first, next);

-- What is left of a finished shard between them: ranges [first, next) of sequences that were acknowledged, or left out
-- on purpose.
CREATE OR REPLACE TEMP TABLE sure_ranges AS
SELECT shard, first, next
FROM (
    SELECT shard,
           max(edge.next) OVER (PARTITION BY shard ORDER BY edge.first, edge.next
                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS first,
           edge.first AS next
    FROM (
        -- Both ends of the shard stand as ranges without a sequence.
        SELECT shard, first, next FROM unsure_ranges
        UNION ALL
        SELECT shard, first_sequence, first_sequence FROM run_shards WHERE status = 'finished'
        UNION ALL
        SELECT shard, next_sequence, next_sequence FROM run_shards WHERE status = 'finished'
    ) AS edge
)
WHERE first < next;

-- Sums of CRC-32 that a finished shard claims, one per window [first, next) of sequences.
CREATE OR REPLACE TEMP TABLE run_windows AS
SELECT
    shard,
    "window",
    first_sequence + "window" * size AS first,
    least(next_sequence, first_sequence + ("window" + 1) * size) AS next,
    size,
    claimed
FROM (
    SELECT shard, first_sequence, next_sequence, crc.size AS size,
           unnest(crc.sums) AS claimed, unnest(range(len(crc.sums))) AS "window"
    FROM (
        SELECT shard, first_sequence, next_sequence,
               from_json(document -> 'crc', '{"size": "BIGINT", "sums": ["HUGEINT"]}') AS crc
        FROM run_shards WHERE status = 'finished'
    )
    WHERE crc IS NOT NULL
)
WHERE first_sequence + "window" * size < next_sequence;

-- What was injected on purpose, one row per event and kind. unsure: its record was never answered.
CREATE OR REPLACE TEMP TABLE run_faults AS
SELECT shard, kind, unsure, range AS sequence
FROM (FROM manifest_faults WHERE run_id = getvariable('run_id')), range(first, next);
