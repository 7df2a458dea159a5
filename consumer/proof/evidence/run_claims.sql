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

-- Sequences that a finished shard generated and Kafka did not acknowledge. outcome: failed | unknown.
CREATE OR REPLACE TEMP TABLE run_unsure AS
SELECT shard, outcome, range AS sequence
FROM (
    SELECT shard, 'failed' AS outcome, unnest(from_json(document -> 'failed', '[["BIGINT"]]')) AS gap
    FROM run_shards WHERE status = 'finished'
    UNION ALL
    SELECT shard, 'unknown' AS outcome, unnest(from_json(document -> 'unknown', '[["BIGINT"]]')) AS gap
    FROM run_shards WHERE status = 'finished'
), range(gap[1], gap[2]);

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
