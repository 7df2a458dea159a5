"""Records that cannot become rows: each is kept byte for byte, and its neighbours are stored."""

from __future__ import annotations

import struct
import threading
from typing import Any

import pytest

from cluster.connection import Connection
from cluster.errors import RegistryUnreachable
from consumer.load.load import load
from consumer.load.quarantine import list_quarantine, replay
from consumer.sinks.limit import Limit, LimitBroken
from schemas.identity import IDENTITY_HEADER
from tests.kit.commands import streamproof

pytestmark = pytest.mark.faults

UNKNOWN_ID = 999_999


def poison(good: bytes) -> dict[str, bytes]:
    """A faulty value of every kind, by the class that it belongs to, made from a good one."""
    head, payload = good[:5], good[5:]
    return {
        "empty": b"",
        "short": b"\x00\x00\x01",
        "bad_magic": b'{"n": 1}',
        "bad_schema_id": b"\x00\xff\xff\xff\xff" + payload,
        "unknown_schema": struct.pack(">bI", 0, UNKNOWN_ID) + payload,
        "truncated": good[:-3],
        "trailing_bytes": good + b"\x00",
        "invalid_utf8": good.replace(b"text-", b"te\xff\xfe-"),
        "bad_length": head + payload[:1] + b"\x01" + payload[2:],
        "bad_number": head + b"\xff" * 11 + payload[1:],
        "bad_union": good[: good.rindex(b"city-") + 15] + b"\x0a",
    }


@pytest.mark.parametrize("place", ["first", "middle", "last", "alone"])
def test_poison_of_every_kind_is_kept_byte_for_byte_and_its_neighbours_are_stored(rig: Any, place: str) -> None:
    rig.create()
    good = rig.values(range(40))
    bad = poison(rig.values([41])[0])
    before = {"first": 0, "middle": 20, "last": 40, "alone": 0}[place]
    neighbours = [] if place == "alone" else good
    rig.produce([*neighbours[:before], *bad.values(), *neighbours[before:]], headers=[("h", b"\xff"), ("h", None)])
    result = rig.load()
    assert (result.rows, result.quarantined) == (len(neighbours), len(bad))
    rig.prove()
    held = rig.rows(
        "SELECT _offset, error_class, value, key, headers, _timestamp IS NOT NULL FROM quarantine ORDER BY 1"
    )
    assert [row[2] for row in held] == list(bad.values())
    assert [row[0] for row in held] == list(range(before, before + len(bad)))
    assert [row[1] for row in held] == list(bad)
    headers = [{"name": "h", "value": b"\xff"}, {"name": "h", "value": None}]
    assert all(row[3].startswith(b"key-") and row[4] == headers and row[5] for row in held)
    if neighbours:
        assert rig.rows("SELECT list_sort(list(n)) FROM events") == [(list(range(40)),)]
    else:  # nothing was decoded, and so nothing has a column
        assert rig.rows("SELECT field FROM event_columns") == []


def test_tombstones_are_counted_and_not_quarantined(rig: Any) -> None:
    rig.create()
    rig.produce([None, *rig.values(range(5)), None, None])
    result = rig.load()
    assert (result.rows, result.quarantined, result.tombstones) == (5, 0, 3)
    rig.prove()
    assert rig.rows("SELECT sum(tombstones)::BIGINT FROM load_batches") == [(3,)]


def test_a_schema_that_no_table_can_hold_is_quarantined_whole(rig: Any) -> None:
    rig.create()
    rig.produce([*rig.encode("string", ["a", "b"]), *rig.values(range(3))])
    result = rig.load()
    assert (result.rows, result.quarantined) == (3, 2)
    assert rig.rows("SELECT DISTINCT phase, error_class FROM quarantine") == [("schema", "unsupported_schema")]
    rig.prove()


def test_a_schema_that_contradicts_the_table_gets_a_column_of_its_own(rig: Any) -> None:
    def one(kind: str) -> dict[str, Any]:
        return {"type": "record", "name": "R", "fields": [{"name": "a", "type": kind}]}

    rig.create()
    rig.produce(rig.encode(one("string"), [{"a": "x"}]))
    assert rig.load().rows == 1  # the first schema makes the table: whichever partition is read first
    _allow_any_change(rig)
    rig.produce(rig.encode(one("long"), [{"a": 1}]))
    assert rig.load().rows == 1
    assert rig.rows("SELECT a, a_2 FROM events ORDER BY _offset") == [("x", None), (None, 1)]
    rig.prove()


def _allow_any_change(rig: Any) -> None:
    from schemas.registry.contract import subject_for
    from schemas.registry.gate import Registry

    with Registry(rig.connection.registry) as registry:
        registry.set_compatibility(subject_for(rig.topic), "NONE")


def test_rows_that_only_the_store_refuses_are_quarantined_in_phase_insert(rig: Any) -> None:
    maybe = {"type": "record", "name": "R", "fields": [{"name": "n", "type": ["null", "int"]}]}
    rig.create()
    rig.produce(rig.encode(maybe, [{"n": 1}]))
    rig.load()
    assert rig.rows("ALTER TABLE events ALTER n SET NOT NULL") == []  # somebody's own rule
    rig.produce(rig.encode(maybe, [{"n": None if n in (0, 57, 99) else n} for n in range(100)]))
    result = rig.load(batch_rows=40)
    assert (result.rows, result.quarantined) == (97, 3)
    held = rig.rows("SELECT _offset, phase, error_class, error FROM quarantine ORDER BY 1")
    assert [row[:3] for row in held] == [(at, "insert", "refused_by_store") for at in (1, 58, 100)]
    assert "NOT NULL" in held[0][3]
    rig.prove()


def test_a_broken_limit_stores_nothing_of_the_batch_and_says_what_is_stored(rig: Any) -> None:
    rig.create()
    rig.produce([*rig.values(range(100)), b"x", *rig.values(range(100, 150)), b"y", b"z", *rig.values(range(150, 250))])
    with pytest.raises(
        LimitBroken, match=r"would hold 3 records, the limit is 2.*partition 0 up to offset 150"
    ) as broken:
        rig.load(limit=Limit(records=2), batch_rows=50)
    assert "offset 151, frame/bad_magic" in broken.value.where
    assert rig.rows("SELECT next_offset FROM load_offsets") == [(150,)]
    assert rig.rows("SELECT count(*) FROM quarantine") == [(1,)]
    assert rig.type("--max-quarantined", "1%").exit_code == 65
    assert rig.load(limit=Limit(share=0.05)).quarantined == 2
    rig.prove()


def test_a_replay_moves_what_can_be_read_today_and_only_once(rig: Any) -> None:
    rig.create(partitions=2)
    good = rig.values(range(30))
    unreadable = [struct.pack(">bI", 0, UNKNOWN_ID) + value[5:] for value in good[10:20]]
    identity = [(IDENTITY_HEADER, b"a-name")]
    rig.produce([*good[:10], *unreadable[:4], b"junk"], partition=0, key=b"k", headers=identity)
    rig.produce([*unreadable[4:], *good[20:]], partition=1, key=b"k")
    assert rig.load().quarantined == 11
    # The registry learns the schema later: here, the stored bytes are made to name one that it knows.
    schema_id = rig.register()
    assert rig.rows(f"UPDATE schema_versions SET schema_id = {UNKNOWN_ID} WHERE schema_id = {schema_id}") == [(1,)]
    classes = list_quarantine(rig.warehouse)
    assert [(c.phase, c.error_class, c.records) for c in classes] == [
        ("schema", "unknown_schema", 10),
        ("frame", "bad_magic", 1),
    ]
    assert classes[0].examples[0] == {"partition": 0, "offset": 10}
    result = replay(rig.connection, rig.warehouse, stop=threading.Event())
    assert (result.replayed, result.remaining) == (10, 1)
    rig.prove()
    assert rig.rows("SELECT count(DISTINCT n), count(DISTINCT _key) FROM events") == [(30, 1)]
    assert rig.rows("SELECT count(*) FROM events WHERE _event_id = 'a-name'") == [(14,)], "a replay keeps the identity"
    again = replay(rig.connection, rig.warehouse, stop=threading.Event())
    assert (again.replayed, again.remaining) == (0, 1)
    rig.prove()


def test_the_quarantine_commands_show_positions_and_no_payload(rig: Any) -> None:
    rig.create()
    rig.produce([b"secret-payload", *rig.values(range(3))])
    rig.load()
    where = (rig.topic, "--warehouse", rig.warehouse)
    shown = streamproof("quarantine", "list", *where)
    assert "bad_magic" in shown.stdout
    assert "secret" not in shown.text
    document = streamproof("quarantine", "list", *where, "--json").document
    assert document["records"] == 1
    assert document["classes"][0]["examples"] == [{"partition": 0, "offset": 0}]
    assert streamproof("quarantine", "replay", *where, "--json").document["remaining"] == 1


def test_without_the_registry_known_schemas_load_and_new_ones_wait(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(10)))
    rig.load()
    rig.produce(rig.values(range(10, 20)))
    nowhere = Connection.of(
        {"bootstrap_servers": rig.connection.kafka.bootstrap_servers}, {"url": "http://127.0.0.1:9", "timeout_s": 1}
    )
    assert load(nowhere, rig.topic, rig.warehouse, stop=threading.Event()).rows == 10
    other = {"type": "record", "name": "Small", "fields": [{"name": "n", "type": "long"}]}
    _allow_any_change(rig)
    rig.produce([*rig.values(range(20, 30)), *rig.encode(other, [{"n": 30}])])
    with pytest.raises(RegistryUnreachable):
        load(nowhere, rig.topic, rig.warehouse, stop=threading.Event())
    assert rig.rows("SELECT count(*) FROM quarantine") == [(0,)]
    assert rig.load().rows + rig.rows("SELECT count(*) FROM events WHERE n < 20")[0][0] == 31
    rig.prove()
