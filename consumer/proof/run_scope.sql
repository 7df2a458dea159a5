-- The records of the run at hand, as audits, checks, marts and reports see them; after evidence/run_claims.sql. Everything is
-- temporary: the file is not touched. Variables: run_id, run_prefix, id_start (how every event id of the run begins).
-- {event_id} is where identities are: the column of the field event_id, or the one of the header {header}
-- (consumer/sinks/duckdb/identity_columns.py).

-- Positions that checks leave out, because what is wrong there was injected: empty unless a check fills it
-- (checks_scope.sql). copy: the record is the second one of an event.
CREATE OR REPLACE TEMP TABLE left_out (partition INTEGER, "offset" BIGINT, copy BOOLEAN);

-- Events of the run, with what their identity says.
CREATE OR REPLACE TEMP VIEW run_events AS
SELECT *, event_shard({event_id}) AS _shard, event_sequence({event_id}) AS _sequence
FROM events ANTI JOIN left_out ON events._partition = left_out.partition AND events._offset = left_out."offset"
WHERE starts_with(CAST({event_id} AS VARCHAR), getvariable('id_start'));

-- Quarantined records with the identity that they carry: in the header {header}, or in a value of ours, where the
-- format says that it is ({identity_in_value}, an expression over "value").
CREATE OR REPLACE TEMP VIEW quarantine_identities AS
SELECT
    * EXCLUDE (headers),
    coalesce(
        TRY(decode(list_filter(headers, lambda header: struct_extract(header, 'name') = '{header}')[1].value)),
        {identity_in_value}
    ) AS event_id
FROM quarantine;

-- Every stored record of the run, wherever it was stored. A malformed identity has NULL as shard and sequence.
-- place: events | quarantine | tombstones, which have no value and so the CRC-32 of no bytes.
CREATE OR REPLACE TEMP VIEW run_records AS
SELECT event_shard(id) AS shard, event_sequence(id) AS sequence, record.partition, record."offset", recorded_at, key,
       crc32, place = 'quarantine' AS quarantined, id AS event_id, place
FROM (
    SELECT CAST({event_id} AS VARCHAR) AS id, _partition AS partition, _offset AS "offset", _timestamp AS recorded_at,
           _key AS key, _crc32 AS crc32, 'events' AS place
    FROM events
    WHERE starts_with(CAST({event_id} AS VARCHAR), getvariable('id_start'))
    UNION ALL
    SELECT event_id, _partition, _offset, _timestamp, key, crc32, 'quarantine'
    FROM quarantine_identities
    WHERE starts_with(event_id, getvariable('id_start'))
    UNION ALL
    SELECT event_id, _partition, _offset, _timestamp, key, 0, 'tombstones'
    FROM tombstones
    WHERE starts_with(event_id, getvariable('id_start'))
) AS record
ANTI JOIN (FROM left_out WHERE copy) AS left_out
    ON record.partition = left_out.partition AND record."offset" = left_out."offset";
