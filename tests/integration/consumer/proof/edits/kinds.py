# ruff: noqa: E501, ISC004 - a table: one row for each kind, its SQL in one piece where that is possible
"""What somebody may do by hand to a warehouse, one row for each kind: the table of the suite of hand edits.

``change`` is SQL on the warehouse file. ``{event}`` and the like are places that are drawn at random for each try
(``places.py`` says which there are). ``doors`` are the commands that must not let it pass (``doors.py``), each straight
after the edit, on a copy of its own. ``says`` must stand in what the door says: the place of the edit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """One kind of hand edit."""

    name: str
    change: str
    doors: tuple[str, ...]
    says: str
    run: str


def edits(doors: str, rows: Iterable[tuple[str, str, str]], *, run: str = "plain") -> list[Edit]:
    """Return one edit for each of ``(name, change, says)``, for places of a run."""
    return [Edit(name, change, tuple(doors.split()), says, run) for name, change, says in rows]


# The columns of the events say what the bytes said.
VALUES = edits(
    "audit verify",
    [
        ("text", "UPDATE events SET user_id = 'HACKED' WHERE {event}", "{id}"),
        ("text null", "UPDATE events SET session_id = NULL WHERE {event}", "{id}"),
        ("text empty", "UPDATE events SET event_type = '' WHERE {event}", "{id}"),
        ("text with a space behind", "UPDATE events SET user_id = user_id || ' ' WHERE {event}", "{id}"),
        ("text in capitals", "UPDATE events SET user_id = upper(user_id) WHERE {event}", "{id}"),
        ("text of two events exchanged",
         "CREATE TEMP TABLE kept AS SELECT user_id || 'x' AS a FROM events WHERE {event};"
         "UPDATE events SET user_id = (SELECT a FROM kept) WHERE {other};", "{other_id}"),
        ("time by a microsecond", "UPDATE events SET timestamp = timestamp + INTERVAL 1 MICROSECOND WHERE {event}", "{id}"),
        ("time by a day", "UPDATE events SET timestamp = timestamp - INTERVAL 1 DAY WHERE {event}", "{id}"),
        ("text in a record", "UPDATE events SET device = struct_update(device, os := 'none') WHERE {event}", "{id}"),
        ("record null", "UPDATE events SET location = NULL WHERE {event}", "{id}"),
        ("date in a record",
         "UPDATE events SET subscription = struct_update(subscription, start_date := CAST(subscription.start_date + 1 AS DATE)) WHERE {event}", "{id}"),
        ("list in a record",
         "UPDATE events SET subscription = struct_update(subscription, connected_services := ['none']) WHERE {event}", "{id}"),
        ("int in a record that may be null",
         "UPDATE events SET content = struct_update(content, duration := content.duration + 1) WHERE {play}", "{play_id}"),
        ("int of an absent record",
         "UPDATE events SET content = struct_update((SELECT content FROM events WHERE {play}), release_year := 1999) WHERE {browse}", "{browse_id}"),
        ("double by its last bit",
         "UPDATE events SET details = struct_update(details, bandwidth := details.bandwidth + 1e-12 * details.bandwidth) WHERE {play}", "{play_id}"),
        ("boolean",
         "UPDATE events SET details = struct_update(details, paused := NOT details.paused) WHERE {play}", "{play_id}"),
        ("nullable record removed", "UPDATE events SET details = NULL WHERE {play}", "{play_id}"),
        ("list emptied", "UPDATE events SET actions = [] WHERE {acted}", "{acted_id}"),
        ("list in another order", "UPDATE events SET actions = list_append(list_reverse(actions), actions[1]) WHERE {acted}", "{acted_id}"),
        ("list null", "UPDATE events SET recommendations = NULL WHERE {event}", "{id}"),
        ("list longer",
         "UPDATE events SET search_history = list_append(search_history, {{'search_id': 's', 'timestamp': timestamp, 'query': 'q', 'results_count': 1}}) WHERE {event}", "{id}"),
        ("column of another version of the schema", "UPDATE events SET experiment = coalesce(experiment, '') || 'x' WHERE {second}", "{second_id}"),
        ("time of the client", "UPDATE events SET client_sent_at = timestamp + INTERVAL 1 HOUR WHERE {second}", "{second_id}"),
        ("column that the event's schema lacks", "UPDATE events SET experiment = 'invented' WHERE {first}", "{first_id}"),
        ("a column of all rows", "UPDATE events SET session_id = session_id || 'x'", "altered"),
        ("a column of every row null", "UPDATE events SET user_id = NULL", "altered"),
        ("columns exchanged by name",
         "ALTER TABLE events RENAME user_id TO kept; ALTER TABLE events RENAME session_id TO user_id; ALTER TABLE events RENAME kept TO session_id", "altered"),
    ],
)  # fmt: skip

# Which events there are.
ROWS = edits(
    "audit verify",
    [
        ("event deleted", "DELETE FROM events WHERE {event}", "{id}"),
        ("last event of a shard deleted", "DELETE FROM events WHERE event_id = '{last_id}'", "{last_id}"),
        ("partition deleted", "DELETE FROM events WHERE _partition = {p}", "lost"),
        ("every event deleted", "DELETE FROM events", "lost"),
        ("event stored twice", "INSERT INTO events FROM events WHERE {event}", "{id}"),
        ("event stored twice, elsewhere",
         "INSERT INTO events SELECT * REPLACE (_offset + 1000000 AS _offset) FROM events WHERE {event}", "{id}"),
        ("event invented", "INSERT INTO events SELECT * REPLACE ('{unsent_id}' AS event_id, _offset + 1000000 AS _offset) FROM events WHERE {event}", "{unsent_id}"),
        ("identity of another number", "UPDATE events SET event_id = '{unsent_id}' WHERE {event}", "{id}"),
        ("identity of another run", "UPDATE events SET event_id = 'ffffffff-ffff-8000-8000-00000000000f' WHERE {event}", "{id}"),
        ("identity malformed", "UPDATE events SET event_id = event_id || 'x' WHERE {event}", "{id}"),
        ("identity null", "UPDATE events SET event_id = NULL WHERE {event}", "{id}"),
        ("identities of two events exchanged",
         "UPDATE events SET event_id = CASE event_id WHEN '{id}' THEN '{other_id}' ELSE '{id}' END WHERE {event} OR {other}", "altered"),
        ("event deleted, ledger evened out",
         "CREATE TEMP TABLE gone AS SELECT * FROM events WHERE {event};"
         "UPDATE load_batches SET events = events - 1, absent = absent + 1, crc_sum = crc_sum - (SELECT _crc32 FROM gone)"
         " WHERE partition = {p} AND batch = (SELECT _batch FROM gone);"
         "DELETE FROM events WHERE {event}", "{id}"),
        ("event moved to quarantine, ledger evened out",
         "INSERT INTO quarantine SELECT _partition, _offset, _timestamp, _key, 'gone', [{{'name': 'streamproof-event-id', 'value': CAST('{id}' AS BLOB)}}],"
         " _schema_id, 'decode', 'truncated', 'by hand', _crc32, _batch, NULL FROM events WHERE {event};"
         "UPDATE load_batches SET events = events - 1, quarantined = quarantined + 1 WHERE partition = {p} AND batch = {event_batch};"
         "DELETE FROM events WHERE {event}", "{id}"),
    ],
)  # fmt: skip

ROWS += edits(
    "audit verify",
    [
        ("event of a dropped number invented",
         "INSERT INTO events SELECT * REPLACE ('{dropped_id}' AS event_id, _offset + 1000000 AS _offset) FROM events WHERE {event}", "{dropped_id}"),
        ("second copy of an injected duplicate deleted",
         "DELETE FROM events WHERE (_partition, _offset) = (SELECT (_partition, max(_offset)) FROM events GROUP BY event_id, _partition HAVING count(*) > 1 ORDER BY ALL LIMIT 1)", "duplicate"),
    ],
    run="faulted",
)  # fmt: skip

# Where they lie, and what came with them.
PLACES = edits(
    "audit verify",
    [
        ("schema id unknown, one row", "UPDATE events SET _schema_id = 999 WHERE {event}", "999"),
        ("schema id unknown, all rows", "UPDATE events SET _schema_id = 999, user_id = 'HACKED'", "999"),
        ("schema id of the other version", "UPDATE events SET _schema_id = {second_schema} WHERE {first}", "{first_id}"),
        ("schema id null", "UPDATE events SET _schema_id = NULL WHERE {event}", "schema id"),
        ("checksum", "UPDATE events SET _crc32 = 4294967295 - _crc32 WHERE {event}", "altered"),
        ("checksum null", "UPDATE events SET _crc32 = NULL WHERE {event}", ""),
        ("checksums exchanged",
         "CREATE TEMP TABLE kept AS SELECT _crc32 AS c FROM events WHERE {event};"
         "UPDATE events SET _crc32 = (SELECT _crc32 FROM events WHERE {other}) WHERE {event};"
         "UPDATE events SET _crc32 = (SELECT c FROM kept) WHERE {other}", "altered"),
    ],
)  # fmt: skip

POSITIONS = edits(
    "audit verify",
    [
        ("offsets shifted by a million", "UPDATE events SET _offset = _offset + 1000000", "partition"),
        ("offset of one event", "UPDATE events SET _offset = _offset + 1000000 WHERE {event}", "partition {p}"),
        ("offsets of two events exchanged",
         "CREATE TEMP TABLE kept AS SELECT (SELECT _offset FROM events WHERE {event}) AS a, (SELECT _offset FROM events WHERE {other}) AS b;"
         "UPDATE events SET _offset = CASE _offset WHEN (SELECT a FROM kept) THEN (SELECT b FROM kept) ELSE (SELECT a FROM kept) END WHERE {event} OR {other}", "{p}"),
        ("offsets of a partition turned round",
         "UPDATE events SET _offset = (SELECT max(_offset) + min(_offset) FROM events WHERE _partition = {p} AND _batch = {event_batch}) - _offset WHERE _partition = {p} AND _batch = {event_batch}", "{p}"),
        ("partition of one event", "UPDATE events SET _partition = {q} WHERE {event}", "{q}"),
        ("partition of one event, one that is not there", "UPDATE events SET _partition = 7 WHERE {event}", "7"),
        ("partition 0 for all", "UPDATE events SET _partition = 0", "partition"),
        ("partitions renamed", "UPDATE events SET _partition = (_partition + 1) % 3", "partition"),
        ("offset null", "UPDATE events SET _offset = NULL WHERE {event}", "partition {p}"),
        ("partition null", "UPDATE events SET _partition = NULL WHERE {event}", "partition"),
    ],
) + edits(
    "verify",
    [
        ("batch of one event", "UPDATE events SET _batch = 3 - _batch WHERE {event}", "batch"),
        ("batch that is not there", "UPDATE events SET _batch = 99 WHERE {event}", "99"),
        ("batch null", "UPDATE events SET _batch = NULL WHERE {event}", "batch"),
        ("one batch for all", "UPDATE events SET _batch = 1", "batch"),
    ],
)  # fmt: skip

# What the value does not hold, and Kafka knows: only the manifests and the topic are witnesses.
BESIDES = edits(
    "audit",
    [
        ("time of the record", "UPDATE events SET _timestamp = _timestamp + INTERVAL 1 SECOND WHERE {event}", "partition {p}, offsets"),
        ("time of every record", "UPDATE events SET _timestamp = _timestamp - INTERVAL 1 DAY", "partition {p}, offsets"),
        ("time of the record null", "UPDATE events SET _timestamp = NULL WHERE {event}", "partition {p}, offsets"),
        ("key of the record", "UPDATE events SET _key = 'zz' WHERE {event}", "partition {p}, offsets"),
        ("key of every record", "UPDATE events SET _key = 'zz'", "partition {p}, offsets"),
        ("key null", "UPDATE events SET _key = NULL WHERE {event}", "partition {p}, offsets"),
        ("second time of the record", "UPDATE events SET _timestamp_ms = 1000000000000000000 WHERE {event}", "partition {p} offset"),
        ("time moved out of the calendar",
         "UPDATE events SET _timestamp_ms = 1000000000000000000, _timestamp = NULL WHERE {event}", "partition {p}, offsets"),
        ("keys exchanged",
         "CREATE TEMP TABLE kept AS SELECT (SELECT _key FROM events WHERE {event}) AS a, (SELECT _key FROM events WHERE {other}) AS b;"
         "UPDATE events SET _key = (SELECT b FROM kept) WHERE {event}; UPDATE events SET _key = (SELECT a FROM kept) WHERE {other}", "partition {p}, offsets"),
    ],
) + edits(
    "broker",
    [
        ("headers of every record", "UPDATE events SET _headers = [{{'name': 'a', 'value': 'b'::BLOB}}]", "its headers are others"),
    ],
) + edits(
    "audit broker",
    [
        ("held key", "UPDATE quarantine SET key = 'zz' WHERE {held}", "partition {held_p}, offsets"),
        ("held time", "UPDATE quarantine SET _timestamp = _timestamp + INTERVAL 1 SECOND WHERE {held}", "partition {held_p}, offsets"),
        ("tombstone's key", "UPDATE tombstones SET key = 'zz' WHERE {void}", "partition {void_p}, offsets"),
        ("tombstone's time", "UPDATE tombstones SET _timestamp = _timestamp + INTERVAL 1 SECOND WHERE {void}", "partition {void_p}, offsets"),
    ],
    run="faulted",
)  # fmt: skip

QUARANTINE = edits(
    "audit verify",
    [
        ("held value", "UPDATE quarantine SET value = 'gone' WHERE {held}", "partition {held_p}"),
        ("held value by one byte", "UPDATE quarantine SET value = value || 'x' WHERE {held}", "{held_o}"),
        ("held values of all", "UPDATE quarantine SET value = 'gone', key = 'zz'", "quarantine"),
        ("held checksum", "UPDATE quarantine SET crc32 = 4294967295 - crc32 WHERE {held}", "partition {held_p}"),
        ("held identity",
         "UPDATE quarantine SET headers = [{{'name': 'streamproof-event-id', 'value': CAST('{id}' AS BLOB)}}] WHERE {held}", ""),
        ("error class and phase of all", "UPDATE quarantine SET error_class = 'other', phase = 'frame'", ""),
        ("error class", "UPDATE quarantine SET error_class = 'other' WHERE {held}", ""),
        ("error class of what has no schema", "UPDATE quarantine SET error_class = 'other' WHERE phase = 'schema'", ""),
        ("held schema id", "UPDATE quarantine SET schema_id = 77 WHERE {held}", "{held_o}"),
        ("held offset", "UPDATE quarantine SET _offset = _offset + 1000000 WHERE {held}", "{held_p}"),
        ("held partition", "UPDATE quarantine SET _partition = (_partition + 1) % 3 WHERE {held}", "partition"),
        ("held record deleted", "DELETE FROM quarantine WHERE {held}", ""),
        ("held records deleted", "DELETE FROM quarantine", "quarantine"),
        ("held record stored twice", "INSERT INTO quarantine FROM quarantine WHERE {held}", "{held_p}"),
        ("held record invented",
         "INSERT INTO quarantine SELECT * REPLACE (_offset + 1000000 AS _offset) FROM quarantine WHERE {held}", "{held_p}"),
        ("tombstone deleted", "DELETE FROM tombstones WHERE {void}", ""),
        ("tombstone's identity", "UPDATE tombstones SET event_id = '{id}' WHERE {void}", ""),
        ("tombstone stored twice", "INSERT INTO tombstones FROM tombstones WHERE {void}", "{void_p}"),
    ],
    run="faulted",
) + edits(
    "verify",
    [
        ("phase", "UPDATE quarantine SET phase = 'insert' WHERE {held}", "quarantine"),
        ("error", "UPDATE quarantine SET error = 'nothing is wrong' WHERE {held}", "{held_o}"),
        ("error of what has no schema", "UPDATE quarantine SET error = 'fine' WHERE phase = 'schema'", "quarantine"),
        ("held batch", "UPDATE quarantine SET batch = 1 WHERE {held}", "{held_o}"),
        ("tombstone's offset", "UPDATE tombstones SET _offset = _offset + 1000000 WHERE {void}", "{void_p}"),
        ("tombstone's partition", "UPDATE tombstones SET _partition = 8 WHERE {void}", "8"),
        ("tombstone's batch", "UPDATE tombstones SET batch = 1 WHERE {void}", "{void_o}"),
    ],
    run="faulted",
) + edits(
    "broker",
    [
        ("held headers removed", "UPDATE quarantine SET headers = [] WHERE {held}", "{held_o}"),
        ("held header added",
         "UPDATE quarantine SET headers = list_append(headers, {{'name': 'x', 'value': CAST('y' AS BLOB)}}) WHERE {held}", "{held_o}"),
    ],
    run="faulted",
)  # fmt: skip

LEDGER = edits(
    "audit verify",
    [
        ("position too far", "UPDATE load_offsets SET next_offset = next_offset + 1 WHERE partition = {p}", "partition {p}"),
        ("position too low", "UPDATE load_offsets SET next_offset = next_offset - 1 WHERE partition = {p}", "partition {p}"),
        ("position deleted", "DELETE FROM load_offsets WHERE partition = {p}", "partition {p}"),
        ("position of another partition", "UPDATE load_offsets SET partition = 9 WHERE partition = {p}", "partition"),
        ("ledger's partition", "UPDATE load_batches SET partition = 9 WHERE {batch}", "partition 9"),
        ("ledger's start", "UPDATE load_batches SET start_offset = start_offset + 1 WHERE {batch}", "partition {batch_p}"),
        ("ledger's end", "UPDATE load_batches SET end_offset = end_offset + 1 WHERE {batch}", "partition {batch_p}"),
        ("ledger's events", "UPDATE load_batches SET events = events + 1 WHERE {batch}", "partition {batch_p}"),
        ("ledger's quarantined", "UPDATE load_batches SET quarantined = quarantined + 1 WHERE {batch}", "partition {batch_p}"),
        ("ledger's tombstones", "UPDATE load_batches SET tombstones = tombstones + 1 WHERE {batch}", "partition {batch_p}"),
        ("ledger's absent", "UPDATE load_batches SET absent = absent + 1 WHERE {batch}", "partition {batch_p}"),
        ("ledger's expired", "UPDATE load_batches SET expired = expired + 1 WHERE {batch}", "partition {batch_p}"),
        ("ledger's checksum", "UPDATE load_batches SET crc_sum = crc_sum + 1 WHERE {batch}", "partition {batch_p}"),
        ("ledger's row deleted", "DELETE FROM load_batches WHERE {batch}", "partition {batch_p}"),
        ("ledger's row doubled", "INSERT INTO load_batches FROM load_batches WHERE {batch}", "{batch_p}"),
        ("ledger emptied", "DELETE FROM load_batches", "partition"),
    ],
) + edits(
    "verify",
    [
        ("position doubled", "INSERT INTO load_offsets FROM load_offsets WHERE partition = {p}", "partition {p}"),
        ("ledger's batch", "UPDATE load_batches SET batch = batch + 10 WHERE {batch}", "{batch_number}"),
        ("ledger's load", "UPDATE load_batches SET load_id = 'other' WHERE {batch}", "batch {batch_number}"),
        ("ledger's time", "UPDATE load_batches SET loaded_at = loaded_at - INTERVAL 1 HOUR WHERE {batch}", "batch {batch_number}"),
        ("ledger's schema ids", "UPDATE load_batches SET schema_ids = [77] WHERE {batch}", "batch {batch_number}"),
        ("ledger's bytes", "UPDATE load_batches SET value_bytes = value_bytes + 1 WHERE {batch}", "{batch_p}"),
        ("ledger's seconds", "UPDATE load_batches SET fetch_s = fetch_s + 1 WHERE {batch}", "batch {batch_number}"),
        ("ledger's checksums of two batches exchanged",
         "UPDATE load_batches SET crc_sum = (SELECT sum(crc_sum) FROM load_batches WHERE partition = {p}) - crc_sum WHERE partition = {p}", "partition {p}"),
        ("ledger's boundary of two batches moved",
         "UPDATE load_batches SET end_offset = end_offset - 1, events = events - 1 WHERE partition = {p} AND batch = 1;"
         "UPDATE load_batches SET start_offset = start_offset - 1, events = events + 1 WHERE partition = {p} AND batch = 2", "partition {p}"),
    ],
)  # fmt: skip

ORIGIN = edits(
    "audit verify",
    [
        ("cluster", "UPDATE load_offsets SET cluster_id = 'other' WHERE partition = {p}", "cluster"),
        ("topic id", "UPDATE load_offsets SET topic_id = 'other' WHERE partition = {p}", "topic"),
    ],
) + edits(
    "verify",
    [
        ("topic of a position", "UPDATE load_offsets SET topic = 'other' WHERE partition = {p}", "other"),
        ("format", "UPDATE meta SET value = '77' WHERE key = 'format'", "format"),
        ("topic of the file", "UPDATE meta SET value = 'other' WHERE key = 'topic'", "other"),
        ("time of creation", "UPDATE meta SET value = 'yesterday' WHERE key = 'created_at'", "created_at"),
        ("fact renamed", "UPDATE meta SET key = 'other' WHERE key = 'topic'", "other"),
        ("fact deleted", "DELETE FROM meta WHERE key = 'topic'", "topic"),
        ("fact doubled", "INSERT INTO meta FROM meta WHERE key = 'duckdb'", "duckdb"),
        ("fact added", "INSERT INTO meta VALUES ('trusted', 'yes')", "trusted"),
    ],
) + edits(
    "broker",
    [
        ("cluster everywhere", "UPDATE load_offsets SET cluster_id = 'other'", "cluster"),
        ("topic id everywhere", "UPDATE load_offsets SET topic_id = 'other'", "topic"),
    ],
)  # fmt: skip

SCHEMAS = edits(
    "audit verify",
    [
        ("schema text deleted", "DELETE FROM schema_versions WHERE schema_id = {first_schema}", "{first_schema}"),
        ("schema texts deleted", "DELETE FROM schema_versions", "schema"),
        ("schema text of another schema",
         "UPDATE schema_versions SET schema = '{{\"type\": \"record\", \"name\": \"X\", \"fields\": [{{\"name\": \"event_id\", \"type\": \"string\"}}]}}' WHERE schema_id = {first_schema}", "{first_schema}"),
        ("schema text with two fields exchanged",
         "UPDATE schema_versions SET schema = replace(replace(replace(schema, 'user_id', 'kept_id'), 'session_id', 'user_id'), 'kept_id', 'session_id')", "schema"),
        ("schema text that is none", "UPDATE schema_versions SET schema = 'none' WHERE schema_id = {first_schema}", "{first_schema}"),
        ("schema id of a text", "UPDATE schema_versions SET schema_id = 888 WHERE schema_id = {first_schema}", "{first_schema}"),
        ("schema texts exchanged",
         "UPDATE schema_versions SET schema_id = CASE schema_id WHEN {first_schema} THEN {second_schema} ELSE {first_schema} END", "schema"),
        ("format of a schema", "UPDATE schema_versions SET format = 'json' WHERE schema_id = {first_schema}", "{first_schema}"),
        ("format of a schema emptied", "UPDATE schema_versions SET format = NULL WHERE schema_id = {first_schema}", "{first_schema}"),
        ("schema text doubled", "INSERT INTO schema_versions FROM schema_versions WHERE schema_id = {first_schema}", ""),
        ("field renamed", "UPDATE event_columns SET field = 'other' WHERE field = 'user_id'", "user_id"),
        ("field without a column", "DELETE FROM event_columns WHERE field = 'user_id'", "user_id"),
        ("fields without columns", "DELETE FROM event_columns", "column"),
        ("columns of two fields exchanged",
         "UPDATE event_columns SET column_name = CASE field WHEN 'user_id' THEN 'session_id' ELSE 'user_id' END WHERE field IN ('user_id', 'session_id')", ""),
        ("layout deleted", "DELETE FROM event_layout", "column"),
        ("layout of another type", "UPDATE event_layout SET document = replace(document, 'DOUBLE', 'FLOAT')", "DOUBLE"),
        ("places deleted", "DELETE FROM schema_places", "fields"),
        ("places of two fields exchanged",
         "UPDATE schema_places SET document = '[[1, []], [0, []], ' || document[19:] WHERE schema_id = {first_schema}", ""),
        ("places of nowhere", "UPDATE schema_places SET document = '[]' WHERE schema_id = {first_schema}", "fields"),
        ("column renamed", "ALTER TABLE events RENAME user_id TO user", "user_id"),
        ("column dropped", "ALTER TABLE events DROP COLUMN session_id", "session_id"),
        ("type of a column", "ALTER TABLE events ALTER timestamp TYPE VARCHAR", "timestamp"),
    ],
) + edits(
    "verify",
    [
        ("subject", "UPDATE schema_versions SET subject = 'other-value' WHERE schema_id = {first_schema}", "other-value"),
        ("version", "UPDATE schema_versions SET version = 9 WHERE schema_id = {first_schema}", "version 9"),
        ("field doubled", "INSERT INTO event_columns FROM event_columns WHERE field = 'user_id'", "user_id"),
        ("field invented", "INSERT INTO event_columns VALUES ('invented', 'user_id')", "invented"),
        ("column added", "ALTER TABLE events ADD COLUMN invented VARCHAR DEFAULT 'x'", "invented"),
        ("default of a column", "ALTER TABLE events ALTER experiment SET DEFAULT 'x'", "experiment"),
    ],
)  # fmt: skip

MANIFESTS = edits(
    "verify mended",
    [
        ("manifest's status", "UPDATE manifests SET status = 'running' WHERE run_id = '{run}' AND shard = {shard}", "run {run} shard {shard}"),
        ("manifest's run", "UPDATE manifests SET run_id = 'other' WHERE run_id = '{run}' AND shard = {shard}", "other"),
        ("manifest's shard", "UPDATE manifests SET shard = 5 WHERE run_id = '{run}' AND shard = {shard}", "shard 5"),
        ("manifest that cannot be read", "UPDATE manifests SET document = '{{}}' WHERE run_id = '{run}' AND shard = {shard}", "run {run} shard {shard}"),
        ("manifest's acknowledged",
         "UPDATE manifests SET document = regexp_replace(document, '\"acknowledged\":[0-9]+', '\"acknowledged\":1') WHERE run_id = '{run}' AND shard = {shard}", "run {run} shard {shard}"),
        ("manifest's checksums",
         "UPDATE manifests SET document = regexp_replace(document, '\"sums\":.[0-9]+', '\"sums\":[77') WHERE run_id = '{run}' AND shard = {shard}", "{run}"),
        ("manifest without checksums",
         "UPDATE manifests SET document = regexp_replace(document, '\"crc\":.[^}}]*.,', '\"crc\":null,') WHERE run_id = '{run}' AND shard = {shard}", "{run}"),
        ("manifest deleted", "DELETE FROM manifests WHERE run_id = '{run}' AND shard = {shard}", "{run}"),
        ("fault deleted", "DELETE FROM manifest_faults WHERE kind = 'dropped' AND shard = {shard}", "dropped"),
        ("faults deleted", "DELETE FROM manifest_faults", "manifest_faults"),
        ("fault invented", "INSERT INTO manifest_faults VALUES ('{run}', {shard}, 'duplicate', false, 3, 4)", "duplicate"),
        ("fault's kind", "UPDATE manifest_faults SET kind = 'tombstone' WHERE kind = 'duplicate' AND shard = {shard}", "manifest_faults"),
        ("fault's sureness", "UPDATE manifest_faults SET unsure = true WHERE shard = {shard}", "manifest_faults"),
        ("fault's first sequence", "UPDATE manifest_faults SET first = first - 1 WHERE shard = {shard}", "manifest_faults"),
        ("fault's sequences", "UPDATE manifest_faults SET next = next + 1 WHERE shard = {shard}", "manifest_faults"),
        ("fault's shard", "UPDATE manifest_faults SET shard = 1 - shard", "manifest_faults"),
        ("fault's run", "UPDATE manifest_faults SET run_id = 'other'", "other"),
    ],
    run="faulted",
)  # fmt: skip

SAID = edits(
    "verify",
    [
        ("verdict", "UPDATE audits SET verdict = 'FAILED' WHERE run_id = '{run}'", "verdict"),
        ("verdict and its document",
         "UPDATE audits SET verdict = 'FAILED', document = replace(document, '\"PASSED\"', '\"FAILED\"') WHERE run_id = '{run}'", "{run}"),
        ("figure of an audit", "UPDATE audits SET document = regexp_replace(document, '\"loaded\": [0-9]+', '\"loaded\": 7') WHERE run_id = '{run}'", "loaded"),
        ("sentence of an audit", "UPDATE audits SET document = regexp_replace(document, '\"reason\": .[^.]*', '\"reason\": \"All is well') WHERE run_id = '{run}'", "{run}"),
        ("document that cannot be read", "UPDATE audits SET document = 'gone' WHERE run_id = '{run}'", "audit"),
        ("audit's id", "UPDATE audits SET audit_id = 'other' WHERE run_id = '{run}'", "other"),
        ("audit's run", "UPDATE audits SET run_id = 'other' WHERE run_id = '{run}'", "other"),
        ("audit's time", "UPDATE audits SET audited_at = audited_at + INTERVAL 1 DAY WHERE run_id = '{run}'", "time"),
        ("audit doubled", "INSERT INTO audits FROM audits WHERE run_id = '{run}'", "times"),
        ("check's result", "UPDATE check_results SET passed = NOT passed WHERE run_id = '{run}' AND check_name = 'ledger_counts'", "ledger_counts"),
        ("check's count", "UPDATE check_results SET offending = 5 WHERE run_id = '{run}' AND check_name = 'time_sanity'", "time_sanity"),
        ("check's detail", "UPDATE check_results SET detail = 'x' WHERE run_id = '{run}' AND check_name = 'event_mix'", "event_mix"),
        ("check's severity", "UPDATE check_results SET severity = 'warning' WHERE run_id = '{run}' AND check_name = 'ledger_counts'", "ledger_counts"),
        ("check's name", "UPDATE check_results SET check_name = 'other' WHERE run_id = '{run}' AND check_name = 'ledger_counts'", "ledger_counts"),
        ("check's audit", "UPDATE check_results SET audit_id = 'other' WHERE run_id = '{run}'", "other"),
        ("check's run", "UPDATE check_results SET run_id = 'other' WHERE run_id = '{run}'", "other"),
        ("check deleted", "DELETE FROM check_results WHERE run_id = '{run}' AND check_name = 'ledger_counts'", "ledger_counts"),
        ("publication's rows", "UPDATE publications SET rows = rows + 1", "publication"),
        ("publication's run", "UPDATE publications SET run_id = 'other' WHERE run_id = '{run}'", "other"),
        ("publication's path", "UPDATE publications SET path = '/nowhere/x' WHERE run_id = '{run}'", "nowhere"),
        ("publication's time", "UPDATE publications SET published_at = published_at + INTERVAL 1 DAY WHERE run_id = '{run}'", "publication"),
        ("publication doubled", "INSERT INTO publications FROM publications WHERE run_id = '{run}'", "publication"),
        ("realism invented", "INSERT INTO realism (number, run_id, examined_at, document) VALUES (1, 'other', now(), '{{}}')", "other"),
    ],
)  # fmt: skip

PUBLISHED = edits(
    "verify",
    [
        ("file's digest", "UPDATE published_files SET sha256 = 'other' WHERE run_id = '{run}'", "{run}-"),
        ("file's rows", "UPDATE published_files SET rows = rows + 1 WHERE run_id = '{run}'", "publication"),
        ("file's name", "UPDATE published_files SET file = 'other.parquet' WHERE run_id = '{run}'", "other.parquet"),
        ("file's run", "UPDATE published_files SET run_id = 'other' WHERE run_id = '{run}'", "other"),
        ("file's publication", "UPDATE published_files SET publication = 99 WHERE run_id = '{run}'", "99"),
        ("file's row deleted", "DELETE FROM published_files WHERE run_id = '{run}'", "publication"),
        ("file's row doubled", "INSERT INTO published_files FROM published_files WHERE run_id = '{run}'", "publication"),
        ("publication's audit", "UPDATE publications SET audit_id = 'other' WHERE run_id = '{run}'", "other"),
        ("publication's number", "UPDATE publications SET number = number + 10 WHERE run_id = '{run}'", "publication"),
    ],
)  # fmt: skip

# Numbers that say what is newest.
NUMBERS = edits(
    "verify",
    [
        ("audit's number", "UPDATE audits SET number = 99 WHERE run_id = '{run}'", "99"),
        ("audit's batch", "UPDATE audits SET batch = batch + 5 WHERE run_id = '{run}'", "batch"),
        ("check's number", "UPDATE check_results SET number = 0 WHERE run_id = '{run}' AND check_name = 'ledger_counts'", "ledger_counts"),
        ("check's time", "UPDATE check_results SET checked_at = checked_at + INTERVAL 1 DAY WHERE run_id = '{run}' AND check_name = 'ledger_counts'", "check_results"),
        ("run's number", "UPDATE manifests SET run_number = 99 WHERE run_id = '{run}' AND shard = {shard}", "{run}"),
    ],
)  # fmt: skip

# A time that somebody emptied: the other columns of these tables refuse it.
EMPTIED = edits(
    "audit verify",
    [
        ("held time null", "UPDATE quarantine SET _timestamp = NULL WHERE {held}", "partition {held_p}"),
    ],
    run="faulted",
)  # fmt: skip

# What could answer in place of the data.
ANSWERS = edits(
    "audit verify publish load",
    [
        ("macro of identities", "CREATE OR REPLACE MACRO event_run(id) AS lower(substr(CAST(id AS VARCHAR), 1, 8))", "event_run"),
        ("macro of sequences", "CREATE OR REPLACE MACRO event_sequence(id) AS 1", "event_sequence"),
        ("macro of shards", "CREATE OR REPLACE MACRO event_shard(id) AS 0", "event_shard"),
        ("macro that tells identities", "CREATE OR REPLACE MACRO is_event_id(id) AS true", "is_event_id"),
        ("macro over a function", "CREATE MACRO starts_with(a, b) AS true", "starts_with"),
        ("macro over a count", "CREATE MACRO count_star() AS 1200", "count_star"),
        ("macro over a sum", "CREATE MACRO sum(a) AS 0", "sum"),
        ("macro over an operator", 'CREATE MACRO "+"(a, b) AS 1', "+"),
        ("macro over a table function", "CREATE MACRO range(a, b) AS TABLE SELECT 0 AS range WHERE false", "range"),
        ("macro over the catalogue", "CREATE MACRO duckdb_columns() AS TABLE SELECT 'events' AS table_name, 'event_id' AS column_name", "duckdb_columns"),
        ("view over the events", "ALTER TABLE events RENAME TO kept; CREATE VIEW events AS FROM kept", "events"),
        ("view over the quarantine", "ALTER TABLE quarantine RENAME TO kept; CREATE VIEW quarantine AS FROM kept", "quarantine"),
    ],
) + edits(
    "verify",
    [
        ("foreign table", "CREATE TABLE notes (text VARCHAR)", "notes"),
        ("foreign view", "CREATE VIEW shown AS FROM events", "shown"),
        ("foreign schema", "CREATE SCHEMA other; CREATE TABLE other.events AS FROM events", "other"),
        ("foreign type", "CREATE TYPE mood AS ENUM ('good')", "mood"),
        ("foreign sequence", "CREATE SEQUENCE counter", "counter"),
        ("macro dropped", "DROP MACRO event_run", "event_run"),
        ("column of the ledger added", "ALTER TABLE load_batches ADD COLUMN remark VARCHAR", "remark"),
        ("type of a column of the ledger", "ALTER TABLE load_batches ALTER fetch_s TYPE FLOAT", "fetch_s"),
    ],
) + [
    Edit(f"table {name} dropped", f"DROP TABLE {name}", ("verify",), name, "plain")
    for name in ("events", "event_columns", "event_layout", "schema_places", "quarantine", "tombstones", "load_offsets", "load_batches",
                 "schema_versions", "manifests", "manifest_faults", "audits", "check_results", "realism", "publications",
                 "published_files", "key_schemas", "meta")
]  # fmt: skip

OF_EVENTS = [*VALUES, *ROWS, *PLACES, *POSITIONS, *BESIDES]
OF_TABLES = [*QUARANTINE, *EMPTIED, *LEDGER, *ORIGIN, *SCHEMAS]
OF_SAYINGS = [*MANIFESTS, *SAID, *NUMBERS, *PUBLISHED, *ANSWERS]

# What changes nothing of meaning: the audit passes, and so does the proof.
HARMLESS = {
    "checkpoint": "CHECKPOINT",
    "vacuum": "VACUUM",
    "analyze": "ANALYZE",
    "rows written again": "UPDATE events SET user_id = user_id || ''",
    "rows in another order":
        "CREATE TEMP TABLE kept AS FROM events; DELETE FROM events; INSERT INTO events FROM kept ORDER BY hash(event_id)",
    "ledger in another order":
        "CREATE TEMP TABLE kept AS FROM load_batches; DELETE FROM load_batches; INSERT INTO load_batches FROM kept ORDER BY batch DESC, partition DESC",
    "a row deleted and put back":
        "CREATE TEMP TABLE kept AS FROM events WHERE {event}; DELETE FROM events WHERE {event}; INSERT INTO events FROM kept",
    "columns in another order":
        "CREATE TEMP TABLE kept AS FROM events; DROP TABLE events; CREATE TABLE events AS SELECT user_id, _crc32, * EXCLUDE (user_id, _crc32) FROM kept",
    "fields in another order":
        "CREATE TEMP TABLE kept AS FROM event_columns; DELETE FROM event_columns; INSERT INTO event_columns FROM kept ORDER BY field DESC",
    "an index": "CREATE INDEX quick ON events (user_id)",
    "a comment": "COMMENT ON TABLE events IS 'looked at'; COMMENT ON COLUMN events.user_id IS 'who'",
}  # fmt: skip
