"""Loading into a real PostgreSQL: the promise is the same as for a file."""

from __future__ import annotations

import json
import os
import pwd
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cluster.errors import Misconfigured, StoreFull, WarehouseDamaged, WarehouseLocked
from consumer.load.quarantine import list_quarantine
from consumer.sinks import place_named
from consumer.sinks.postgres.place import schema_of
from stack.services.postgres import UNPRIVILEGED
from tests.integration.consumer.load.conftest import SMALL, small
from tests.kit.commands import streamproof
from tests.kit.postgres import running_postgres
from tests.kit.stepping import at_step

pytestmark = pytest.mark.faults
BATCHES = "consumer.sinks.postgres.batches:"


def test_every_record_is_there_once_with_its_values(postgres_rig: Any) -> None:
    postgres_rig.create(partitions=3)
    values = postgres_rig.values(range(3_000))
    for partition in range(3):
        postgres_rig.produce(values[partition::3], partition=partition)
    done = streamproof("load", postgres_rig.topic, "--to", postgres_rig.url, "--json")
    assert done.exit_code == 0, done.stderr
    document = done.document
    assert (document["rows"], document["quarantined"]) == (3_000, 0)
    assert document["warehouse"].endswith(f"schema {schema_of(postgres_rig.topic)}")
    assert postgres_rig.url not in done.text
    postgres_rig.prove()
    rows = postgres_rig.rows("SELECT n, text, place FROM events ORDER BY n")
    assert rows == [(n, small(n)["text"], small(n)["place"]) for n in range(3_000)]
    assert postgres_rig.load().rows == 0


def test_loaders_of_different_partitions_work_side_by_side_and_number_their_batches_apart(postgres_rig: Any) -> None:
    postgres_rig.create(partitions=4)
    for partition in range(4):
        first = partition * 10_000
        postgres_rig.produce(postgres_rig.values(range(first, first + 10_000)), partition=partition)
    loaders = [
        subprocess.Popen(
            postgres_rig.command("--batch-rows", "500", "--partitions", chosen, "--json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for chosen in ("0,2", "1", "3")
    ]
    ended = [loader.communicate(timeout=90) for loader in loaders]
    assert [loader.returncode for loader in loaders] == [0, 0, 0], ended
    found = [[each["partition"] for each in json.loads(out)["partitions"]] for out, _ in ended]
    assert found == [[0, 2], [1], [3]]
    postgres_rig.prove()
    assert postgres_rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(40_000, 40_000)]
    # A batch is one loader's, and its place in the order of commits is its own.
    assert postgres_rig.rows(
        "SELECT count(*) FROM (SELECT batch FROM load_batches GROUP BY batch "
        "HAVING count(DISTINCT load_id) > 1) AS shared"
    ) == [(0,)]
    ((batches, numbers),) = postgres_rig.rows("SELECT count(*), max(number) FROM batch_order")
    assert batches == numbers > 60
    assert postgres_rig.load().rows == 0


def test_partitions_of_a_file_are_loaded_one_part_after_the_other(rig: Any) -> None:
    rig.create(partitions=3)
    for partition in range(3):
        rig.produce(rig.values(range(partition * 100, partition * 100 + 100)), partition=partition)
    assert rig.load(partitions=[2, 0]).rows == 200
    assert rig.rows("SELECT partition, next_offset FROM load_offsets ORDER BY 1") == [(0, 100), (2, 100)]
    assert rig.load().rows == 100
    rig.prove()


@pytest.mark.parametrize(
    ("said", "why"), [("0,9", "partition 9 is not in the topic"), ("a", "is not a list"), ("", "is not")]
)
def test_partitions_that_are_not_there_are_refused(rig: Any, said: str, why: str) -> None:
    rig.create(partitions=2)
    refused = rig.type("--partitions", said)
    assert refused.exit_code == 78
    assert why in refused.stderr


def test_of_two_loaders_of_one_partition_one_wins_and_the_other_stores_nothing_of_its_batch(postgres_rig: Any) -> None:
    postgres_rig.create()
    postgres_rig.produce(postgres_rig.values(range(2_000)))
    # The other one is done between this one's look at the positions and its first batch.
    with (
        at_step(BATCHES + "PostgresBatches.add", 1, "before", lambda: postgres_rig.run().check_returncode()),
        pytest.raises(WarehouseLocked, match="moved the position of partition 0 away from 0") as lost,
    ):
        postgres_rig.load(batch_rows=500)
    assert lost.value.exit_code == 75
    postgres_rig.prove()
    assert postgres_rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(2_000, 2_000)]


def test_a_batch_that_was_begun_earlier_and_committed_later_is_the_newer_one_to_a_proof(postgres_rig: Any) -> None:
    postgres_rig.create(partitions=2)
    for partition in range(2):
        postgres_rig.produce(postgres_rig.values(range(partition * 50, partition * 50 + 50)), partition=partition)
    other = lambda: postgres_rig.run("--partitions", "1").check_returncode()  # noqa: E731
    with at_step("consumer.sinks.postgres.ledger:order", 1, "before", other):
        postgres_rig.load(partitions=[0])
    assert postgres_rig.rows("SELECT partition FROM load_batches ORDER BY batch") == [(0,), (1,)]
    with postgres_rig.place.open(create=False) as sink:
        ledger, events = (
            [row for page in sink._warehouse.pages(table) for row in page.to_pylist()]
            for table in ("load_batches", "events")
        )
    assert {row["partition"]: row["batch"] for row in ledger} == {1: 1, 0: 2}
    assert {(row["_partition"], row["_batch"]) for row in events} == {(1, 1), (0, 2)}


def test_a_loader_that_stands_still_in_its_batch_is_named_after_the_wait(postgres_rig: Any) -> None:
    postgres_rig.create()
    postgres_rig.produce(postgres_rig.values(range(2_000)))
    said: list[str] = []

    def another() -> None:
        refused = postgres_rig.run("--wait", "0.5")
        said.append(f"{refused.returncode} {refused.stderr}")

    with at_step("consumer.sinks.postgres.ledger:order", 1, "before", another):
        assert postgres_rig.load(batch_rows=500).rows == 2_000
    assert said[0].startswith("75 ")
    assert "another loader is at work on partition 0" in said[0]
    postgres_rig.prove()


def test_the_table_grows_while_another_loader_stores(postgres_rig: Any) -> None:
    wider = json.loads(json.dumps(SMALL))
    wider["fields"] += [{"name": "late", "type": ["null", "string"], "default": None}]
    wider["fields"][2]["type"]["fields"] += [{"name": "zip", "type": ["null", "int"], "default": None}]
    postgres_rig.create(partitions=2)
    postgres_rig.produce(postgres_rig.values(range(20_000)), partition=0)
    more = [small(n) | {"late": f"late {n}", "place": small(n)["place"] | {"zip": n}} for n in range(20_000, 24_000)]
    postgres_rig.produce(postgres_rig.values(range(24_000, 25_000)), partition=1)
    postgres_rig.produce(postgres_rig.encode(wider, more), partition=1)
    loaders = [
        subprocess.Popen(
            postgres_rig.command("--batch-rows", "500", "--partitions", part), stderr=subprocess.PIPE, text=True
        )
        for part in ("0", "1")
    ]
    ended = [loader.communicate(timeout=90)[1] for loader in loaders]
    assert [loader.returncode for loader in loaders] == [0, 0], ended
    postgres_rig.prove()
    assert postgres_rig.rows(
        "SELECT count(late), count(place -> 'zip'), min(place ->> 'zip'), count(DISTINCT n) FROM events"
    ) == [(4_000, 4_000, "20000", 25_000)]
    with postgres_rig.place.open(create=False) as sink:
        kinds = {each.name: str(each.kind) for each in sink._warehouse.columns("events")}
    assert '"zip" INTEGER' in kinds["place"]


def test_texts_with_nul_and_unreadable_values_are_kept_byte_for_byte_and_their_neighbours_are_stored(
    postgres_rig: Any,
) -> None:
    postgres_rig.create()
    good = postgres_rig.values(range(300))
    nowhere = {"city": "\0", "point": {"x": 0.0, "y": None}}
    nul = postgres_rig.encode(SMALL, [small(1) | {"text": "secret\0text"}, small(2) | {"place": nowhere}])
    headers = [("h", b"\xff\0"), ("h", None)]
    postgres_rig.produce([*good[:100], nul[0], b"junk", *good[100:], nul[1]], headers=headers)
    result = postgres_rig.load(batch_rows=100)
    assert (result.rows, result.quarantined) == (300, 3)
    postgres_rig.prove()
    held = postgres_rig.rows("SELECT phase, error_class, value, key, headers FROM quarantine ORDER BY _offset")
    assert [row[:3] for row in held] == [
        ("insert", "refused_by_store", nul[0]),
        ("frame", "bad_magic", b"junk"),
        ("insert", "refused_by_store", nul[1]),
    ]
    assert all(row[3].startswith(b"key-") for row in held)
    assert held[0][4] == [{"name": "h", "value": "ff00"}, {"name": "h", "value": None}]
    listed = streamproof("quarantine", "list", postgres_rig.topic, "--to", postgres_rig.url, "--json").document
    assert [(each["phase"], each["error_class"], each["records"]) for each in listed["classes"]] == [
        ("insert", "refused_by_store", 2),
        ("frame", "bad_magic", 1),
    ]
    assert "character NUL" in listed["classes"][0]["error"]
    assert "secret" not in json.dumps(listed)
    again = streamproof("quarantine", "replay", postgres_rig.topic, "--to", postgres_rig.url, "--json").document
    assert (again["replayed"], again["remaining"]) == (0, 3)


def test_a_replay_moves_what_can_be_read_today_and_only_once(postgres_rig: Any) -> None:
    unknown = 999_999
    postgres_rig.create(partitions=2)
    good = postgres_rig.values(range(30))
    unreadable = [struct.pack(">bI", 0, unknown) + value[5:] for value in good[10:20]]
    postgres_rig.produce([*good[:10], *unreadable[:4], b"junk"], partition=0)
    postgres_rig.produce([*unreadable[4:], *good[20:]], partition=1)
    assert postgres_rig.load().quarantined == 11
    # The registry learns the schema later: here, the stored bytes are made to name one that it knows.
    postgres_rig.rows(f"UPDATE schema_versions SET schema_id = {unknown} WHERE schema_id = {postgres_rig.register()}")
    for replayed in (10, 0):
        done = streamproof("quarantine", "replay", postgres_rig.topic, "--to", postgres_rig.url, "--json").document
        assert (done["replayed"], done["remaining"]) == (replayed, 1)
    assert postgres_rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(30, 30)]
    postgres_rig.prove()


def test_names_of_any_length_have_columns_and_keep_their_values(postgres_rig: Any) -> None:
    names = ["n" * 100, "n" * 99 + "m", "xmin", "ctid", "_offset", "Name", "name", "é" * 40, 'odd "%s"']
    legal = [name for name in names if name.isidentifier() and name.isascii()]
    schema = {"type": "record", "name": "Odd", "fields": [{"name": name, "type": "int"} for name in legal]}
    postgres_rig.create()
    postgres_rig.produce(postgres_rig.encode(schema, [{name: at for at, name in enumerate(legal)}]))
    postgres_rig.load()
    postgres_rig.prove()
    places = dict(postgres_rig.rows("SELECT field, column_name FROM event_columns"))
    assert places.keys() == set(legal)
    assert all(len(column.encode()) <= 63 for column in places.values())
    for at, name in enumerate(legal):
        assert postgres_rig.rows(f'SELECT "{places[name]}" FROM events') == [(at,)]
    # To a proof they have the names of a DuckDB warehouse.
    with postgres_rig.place.open(create=False) as sink:
        named = [row for page in sink._warehouse.pages("event_columns") for row in page.to_pylist()]
    whole = {row["field"]: row["column_name"] for row in named}
    assert whole["n" * 100] == "n" * 100
    assert whole["xmin"] == "xmin_2"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE events DROP COLUMN text", "events has no column text"),
        ("ALTER TABLE events ALTER COLUMN n TYPE text", "events.n is text, not bigint"),
        ("UPDATE load_offsets SET next_offset = next_offset - 1", "its ledger ends at"),
        ("UPDATE load_batches SET events = events - 1, absent = absent + 1", "its ledger says 99"),
        ("DELETE FROM events WHERE n = 5", "has 99 events, its ledger says 100"),
        ("UPDATE events SET _crc32 = _crc32 + 1 WHERE n = 5", "has a checksum of"),
    ],
)
def test_a_warehouse_that_somebody_changed_takes_nothing(postgres_rig: Any, change: str, said: str) -> None:
    postgres_rig.create()
    postgres_rig.produce(postgres_rig.values(range(100)))
    postgres_rig.load()
    postgres_rig.rows(change)
    postgres_rig.produce(postgres_rig.values(range(100, 200)))
    before = postgres_rig.rows("SELECT count(*) FROM events")
    with pytest.raises(WarehouseDamaged, match=said) as damaged:
        postgres_rig.load()
    assert damaged.value.exit_code == 74
    assert postgres_rig.rows("SELECT count(*) FROM events") == before


def test_a_recreated_topic_gets_a_new_schema_and_the_old_one_keeps_its_rows(postgres_rig: Any) -> None:
    postgres_rig.create()
    postgres_rig.produce(postgres_rig.values(range(50)))
    postgres_rig.load()
    postgres_rig.rows("UPDATE load_offsets SET topic_id = 'another'")
    assert postgres_rig.type().exit_code == 65
    done = postgres_rig.type("--set-aside", "--json").document
    assert done["rows"] == 50
    postgres_rig.prove()
    aside = done["set_aside"].rpartition("schema ")[2]
    assert postgres_rig.rows(f'SELECT count(*), max(n) FROM "{aside}".events') == [(50, 49)]


@contextmanager
def database_on_a_small_disk(folder: Path, state: Path) -> Iterator[str]:
    """A database whose tables lie on a tmpfs of 13 MB, of a server of its own; an empty one takes more than half.

    :param folder: a path that any user may enter: PostgreSQL looks as the user that it runs as.
    """
    mount = ["mount", "-t", "tmpfs", "-o", "size=13m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("only root may mount a small disk; the double beside this test says what is done about a full one")
    try:
        user = pwd.getpwnam(UNPRIVILEGED)
        os.chown(folder, user.pw_uid, user.pw_gid)
        with running_postgres(state) as server:
            server.run(f"CREATE TABLESPACE small LOCATION '{folder}'")
            server.run("CREATE DATABASE clicks TABLESPACE small")
            yield server.url("clicks")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)
        folder.rmdir()


def test_a_full_disk_of_the_server_keeps_what_was_committed_and_the_load_goes_on_when_there_is_room(
    postgres_rig: Any, tmp_path: Path
) -> None:
    postgres_rig.create()
    postgres_rig.produce(postgres_rig.values(range(60_000)))
    folder = Path(tempfile.mkdtemp(prefix="small-disk-"))
    with database_on_a_small_disk(folder, tmp_path / "server") as url:
        postgres_rig.url = url
        full = postgres_rig.type("--batch-rows", "2000")
        assert full.exit_code == 74, full.text
        assert "no space left for the warehouse" in full.stderr
        ((position, rows),) = postgres_rig.rows("SELECT next_offset, (SELECT count(*) FROM events) FROM load_offsets")
        assert 0 < position == rows < 60_000
        subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
        assert postgres_rig.load().rows == 60_000 - rows
        postgres_rig.prove()


def test_a_loader_whose_schema_is_set_aside_ends_and_what_it_had_stored_is_there(postgres_rig: Any) -> None:
    postgres_rig.create()
    postgres_rig.produce(postgres_rig.values(range(1_000)))
    aside: list[str] = []
    with (
        at_step(BATCHES + "copy_in", 3, "before", lambda: aside.append(postgres_rig.place.set_aside())),
        pytest.raises(WarehouseDamaged, match="not as they were made"),
    ):
        postgres_rig.load(batch_rows=200)
    schema = aside[0].rpartition("schema ")[2]
    ((position, rows),) = postgres_rig.rows(
        f'SELECT next_offset, (SELECT count(*) FROM "{schema}".events) FROM "{schema}".load_offsets'
    )
    assert 0 < position == rows < 1_000
    assert postgres_rig.load().rows == 1_000
    postgres_rig.prove()


def test_a_full_disk_rolls_the_batch_back(postgres_rig: Any) -> None:
    """The disk is a double: the state that PostgreSQL gives for a full one is raised by a constraint of the test's."""
    postgres_rig.create()
    postgres_rig.produce(postgres_rig.values(range(1_000)))
    postgres_rig.load(batch_rows=200)
    postgres_rig.produce(postgres_rig.values(range(1_000, 2_000)))
    postgres_rig.rows(
        "CREATE FUNCTION full_disk(n bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF n > 1500 THEN RAISE "
        "disk_full USING MESSAGE = 'could not extend file: No space left on device'; END IF; RETURN true; END $$;"
        "ALTER TABLE events ADD CONSTRAINT room CHECK (full_disk(n))"
    )
    with pytest.raises(StoreFull) as full:
        postgres_rig.load(batch_rows=200)
    assert full.value.exit_code == 74
    assert "everything before it is kept" in str(full.value)
    ((position,),) = postgres_rig.rows("SELECT next_offset FROM load_offsets")
    assert 1_000 < position <= 1_500
    postgres_rig.rows("ALTER TABLE events DROP CONSTRAINT room")
    postgres_rig.load()
    postgres_rig.prove()


def test_a_role_that_may_read_and_not_write_is_refused(postgres_rig: Any) -> None:
    postgres_rig.create()
    postgres_rig.produce(postgres_rig.values(range(10)))
    postgres_rig.load()
    schema = schema_of(postgres_rig.topic)
    postgres_rig.rows(f"""
        DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD 'reader'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT USAGE ON SCHEMA "{schema}" TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO reader
    """)
    postgres_rig.produce(postgres_rig.values(range(10, 20)))
    parts = psycopg.conninfo.conninfo_to_dict(postgres_rig.url)
    weak = f"postgresql://reader:reader@{parts['host']}:{parts['port']}/{parts['dbname']}"
    refused = streamproof("load", postgres_rig.topic, "--to", weak)
    assert refused.exit_code == 77
    assert "may not do this" in refused.stderr


def test_an_address_that_is_none_is_refused_and_not_repeated(rig: Any) -> None:
    rig.create()
    refused = streamproof("load", rig.topic, "--to", "postgresql://me:sec/ret@db/x")
    assert refused.exit_code == 78
    assert "ret@" not in refused.text


def test_a_topic_of_249_characters_is_loaded(postgres_rig: Any) -> None:
    postgres_rig.topic += "x" * (249 - len(postgres_rig.topic))
    postgres_rig.create()
    postgres_rig.produce(postgres_rig.values(range(10)))
    assert postgres_rig.load().rows == 10
    postgres_rig.prove()
    with pytest.raises(Misconfigured, match="the place is one for the topic"), postgres_rig.place.open(topic="another"):
        pass
    assert list_quarantine(place_named(postgres_rig.url, postgres_rig.topic)) == []
