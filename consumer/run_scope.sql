-- The run at hand, as audits, checks, marts and reports see it. Everything is temporary: the file is not touched.
-- Variables: run_id, run_prefix, id_start (how every event id of the run begins). {event_id} is where identities are:
-- the column of the field event_id, or the one of the header {header}.

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
    FROM manifests
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

-- Events of the run, with what their identity says.
CREATE OR REPLACE TEMP VIEW run_events AS
SELECT *, event_shard({event_id}) AS _shard, event_sequence({event_id}) AS _sequence
FROM events
WHERE starts_with(CAST({event_id} AS VARCHAR), getvariable('id_start'));

-- Quarantined records with the identity that they carry: in the header {header}, or as the first Avro field of a
-- value of ours, which is at bytes 7 to 42: 5 bytes of frame, 1 of length (0x48 says 36), 36 of text.
CREATE OR REPLACE TEMP VIEW quarantine_identities AS
SELECT
    * EXCLUDE (headers),
    coalesce(
        TRY(decode(list_filter(headers, lambda header: header.name = '{header}')[1].value)),
        CASE WHEN hex(value[1:1]) = '00' AND hex(value[6:6]) = '48' THEN TRY(decode(value[7:42])) END
    ) AS event_id
FROM quarantine;

-- Every stored record of the run, wherever it was stored. A malformed identity has NULL as shard and sequence.
CREATE OR REPLACE TEMP VIEW run_records AS
SELECT _shard AS shard, _sequence AS sequence, _partition AS partition, _offset AS "offset", _key AS key,
       _crc32 AS crc32, FALSE AS quarantined, CAST({event_id} AS VARCHAR) AS event_id
FROM run_events
UNION ALL
SELECT event_shard(event_id), event_sequence(event_id), _partition, _offset, key, crc32, TRUE, event_id
FROM quarantine_identities
WHERE starts_with(event_id, getvariable('id_start'));
