"""A table in PostgreSQL grows as a DuckDB file does: the same values in the same columns, whoever came first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import WarehouseDamaged
from cluster.topics import TopicInfo
from consumer.sinks import Place, place_named
from consumer.sinks.postgres.connecting import connect
from consumer.sinks.postgres.place import address_of
from consumer.verify.contents import prove_bytes
from schemas.columns.at_hand import told_in_turn
from tests.kit.postgres import PostgresServer
from tests.kit.versions import APART, HELD, Loader, framed, one, record, rows, schemas

TOPIC = TopicInfo("t", "id", "cluster", 2, 1)
CHANGES = HELD | APART
FIRST, SECOND = schemas(CHANGES)
TEXTS = {1: FIRST, 2: SECOND}
VALUES = {number: framed(number, text, rows(CHANGES, number)) for number, text in TEXTS.items()}


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.database()


def asked(url: str, statement: str) -> list[tuple[Any, ...]]:
    with connect(address_of(url), lock_s=5) as connection:
        cursor = connection.execute(f"SET search_path = t; {statement}")  # type: ignore[arg-type]
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


def filled(place: Place, texts: dict[int, str], parts: Sequence[Sequence[bytes]], *, opened_anew: bool = True) -> None:
    """Load parts one after the other, each as one batch of a loader that begins anew, or all as one loader."""
    with place.open(topic="t") as sink:
        sink.begin(TOPIC, {0: 0, 1: 0}, [], "load")
    for each in parts if opened_anew else [parts]:
        with place.open(topic="t") as sink:
            loader = Loader(sink, texts)
            for values in [each] if opened_anew else each:
                assert not loader.put(values).rejects  # type: ignore[arg-type]


def held(place: Place) -> dict[str, Any]:
    """Return what a proof sees: columns, types, all values as text, and what is noted of them."""
    with place.to_look(topic="t") as warehouse:
        relation = warehouse.connection.sql("SELECT * EXCLUDE (_batch) FROM events ORDER BY _partition, _offset")
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        texts = ", ".join(f'CAST("{name}" AS VARCHAR) AS "{name}"' for name in sorted(relation.columns))
        values = relation.query("everything", f"SELECT {texts} FROM everything").to_arrow_table().to_pylist()
        notes = [warehouse.rows(f"SELECT * FROM {t} ORDER BY ALL") for t in ("event_columns", "event_layout")]
        places = warehouse.rows("SELECT * FROM schema_places ORDER BY ALL")
        return {"types": types, "values": values, "notes": notes, "places": places}


@pytest.mark.parametrize("order", [(1, 2, 1), (2, 1, 2)], ids=["the older first", "the newer first"])
def test_both_stores_hold_the_same_of_two_versions_whichever_comes_first(
    order: tuple[int, ...], url: str, tmp_path: Path
) -> None:
    found = []
    for said in (url, str(tmp_path / "t.duckdb")):
        place = place_named(said, "t")
        filled(place, TEXTS, [VALUES[number] for number in order])
        found.append(held(place))
        with place.to_prove(topic="t") as warehouse:
            proof = prove_bytes(warehouse)
        assert (proof.looked_at, proof.faults, proof.unknown) == ("9 of 9 events", [], [])
    assert found[0]["types"] == found[1]["types"]
    assert found[0]["values"] == found[1]["values"]
    assert found[0]["notes"] == found[1]["notes"]
    assert found[0]["places"] == found[1]["places"]
    assert len(found[0]["values"]) == 9


def test_a_loader_that_knows_older_columns_stores_its_values_in_those_of_today(url: str, tmp_path: Path) -> None:
    texts = {number: json.dumps(json.loads(text)) for number, text in TEXTS.items()}
    place = place_named(url, "t")
    filled(place, texts, [VALUES[1]])
    with place.open(topic="t") as one_sink, place.open(topic="t") as other_sink:
        first, second = Loader(one_sink, texts), Loader(other_sink, texts, partition=1)
        assert not first.put(VALUES[1]).rejects
        assert not second.put(VALUES[2]).rejects  # widens, renames, and writes documents anew
        assert not first.put(VALUES[1]).rejects
        assert not second.put(VALUES[1]).rejects
    file = place_named(str(tmp_path / "t.duckdb"), "t")
    filled(file, texts, [VALUES[1], VALUES[1], VALUES[1], VALUES[1]])
    with file.open(topic="t") as sink:
        assert not Loader(sink, texts, partition=1).put(VALUES[2]).rejects
    there, wanted = held(place), held(file)
    assert there["types"] == wanted["types"]
    values = lambda rows: [{n: v for n, v in row.items() if n not in ("_partition", "_offset")} for row in rows]  # noqa: E731
    assert values(there["values"][:9]) == values(wanted["values"][:9])
    assert values(there["values"][9:12]) == values(wanted["values"][12:15])
    assert values(there["values"][12:]) == values(wanted["values"][:3])


def test_a_query_of_postgresql_sees_what_was_sent(url: str) -> None:
    names = ("string_bytes", "decimal", "text_union", "place", "renamed", "long_double", "int_double")
    changes = {name: CHANGES[name] for name in names}
    first, second = schemas(changes)
    parts = [framed(1, first, rows(changes, 1)), framed(2, second, rows(changes, 2))]
    filled(place_named(url, "t"), {1: first, 2: second}, parts)
    found = asked(
        url,
        "SELECT encode(string_bytes, 'escape'), decimal::text, text_union, place -> 'n', place ->> 'sum', "
        "place -> 'tag', renamed, long_double, long_double_2, int_double FROM events "
        "WHERE _offset IN (1, 4) ORDER BY _offset",
    )
    tag, text = {"tag": "string", "value": "t"}, r"a\x41\\"
    assert found[0] == (
        r"a\\x41\\\\", "0.0100", {"tag": "string", "value": text}, 1, "1.500", tag, text, 2**53 + 1, None, 0.0,
    )  # fmt: skip
    assert found[1][1:7] == ("0.0001", {"tag": "int", "value": 7}, 0.5, "1.125", {"tag": "int", "value": 3}, text)
    assert found[1][7:] == (None, 1.0, 1e300)


def test_names_that_are_cut_taken_or_the_servers_get_columns_of_their_own_and_are_renamed(url: str) -> None:
    long = "n" * 70
    first = json.dumps(record("R", one(long, "int"), one("xmin", "int"), one("note", "int"), one("short", "int")))
    later = json.dumps(
        record(
            "R",
            one(f"{long}_more", "long", aliases=[long]),
            one("Xmin", "int"),
            one("l" * 70, "int", aliases=["short"]),
        )
    )
    place = place_named(url, "t")
    filled(place, {1: first}, [])
    asked(url, "ALTER TABLE events ADD COLUMN note text")
    filled(
        place,
        {1: first, 2: later},
        [
            framed(1, first, [{long: 1, "xmin": 2, "note": 3, "short": 4}]),
            framed(2, later, [{f"{long}_more": 5, "Xmin": 6, "l" * 70: 7}]),
        ],
    )
    found = held(place)
    names = [f"{long}_more", "xmin_2", "note_2", "l" * 70, "Xmin_3"]
    assert [name for name in found["types"] if not name.startswith("_")] == names
    values = [[row[name] for name in names] for row in found["values"]]
    assert values == [["1", "2", "3", "4", None], ["5", None, None, "7", "6"]]


def test_large_documents_are_written_anew_in_parts_and_no_row_is_left_out(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.sinks.postgres.rewriting._PAGE_ROWS", 7)
    texts = [
        json.dumps(record("R", one("c", {"type": "array", "items": kind}))) for kind in ("string", ["string", "int"])
    ]
    many = [{"c": [f"{n}", "é"]} for n in range(50)]
    parts = [framed(1, texts[0], many), framed(2, texts[1], [{"c": [1]}])]
    filled(place_named(url, "t"), {1: texts[0], 2: texts[1]}, parts)
    found = asked(url, "SELECT c -> 0 ->> 'value', c -> 1 ->> 'tag' FROM events ORDER BY _offset")
    assert found == [*((str(n), "string") for n in range(50)), ("1", None)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event_layout SET document = '{}'",
        "INSERT INTO event_layout SELECT document FROM event_layout",
        "UPDATE schema_places SET document = '[7]'",
        "DELETE FROM event_types",
    ],
)
def test_what_the_warehouse_says_of_its_columns_is_not_believed_blindly(change: str, url: str) -> None:
    texts = [json.dumps(record("R", one("n", "int")))]
    place = place_named(url, "t")
    filled(place, {1: texts[0]}, [framed(1, texts[0], [{"n": 1}])])
    asked(url, change)
    with pytest.raises(WarehouseDamaged), place.open(topic="t") as sink:
        Loader(sink, {1: texts[0]}).put(framed(1, texts[0], [{"n": 1}]))


def test_a_warehouse_of_before_goes_on_with_the_columns_that_it_has(url: str) -> None:
    names = ("int_long", "place", "unions", "renamed", "map", "maybes", "null_string")
    changes = {name: CHANGES[name] for name in names}
    first, second = schemas(changes)
    place = place_named(url, "t")
    filled(place, {1: first}, [framed(1, first, rows(changes, 1))])
    known = held(place)
    asked(
        url,
        "DROP TABLE event_layout, schema_places, key_schemas; UPDATE alembic_version SET version_num = '1'; "
        "ALTER TABLE events DROP COLUMN _headers, DROP COLUMN _timestamp_ms; "
        "ALTER TABLE quarantine DROP COLUMN _timestamp_ms; ALTER TABLE tombstones DROP COLUMN _timestamp_ms",
    )
    with place.open(topic="t"):
        pass
    assert held(place) == known
    filled(place, {1: first, 2: second}, [framed(2, second, rows(changes, 2))])
    assert [row["renamed"] for row in held(place)["values"]] == [*changes["renamed"].values, *changes["renamed"].later]


def test_a_gate_is_told_what_the_columns_hold_and_changes_nothing(url: str) -> None:
    place = place_named(url, "t")
    table = place.at_hand("t")
    assert table is not None
    assert (table.where, table.held.columns) == ("", {})
    too_many = json.dumps(record("R", *(one(f"c{n}", "int") for n in range(1_589))))
    assert told_in_turn(table, [(None, too_many)])[0].impossible == (
        "the fields need 1,589 columns; a table of PostgreSQL's has room for 1,588 beside ours"
    )
    assert asked(url, "SELECT count(*) FROM pg_namespace WHERE nspname = 't'") == [(0,)]
    texts = [json.dumps(record("R", one("n", kind), one("note", "int"))) for kind in ("long", "double")]
    filled(place, {1: texts[0]}, [framed(1, texts[0], [{"n": 1, "note": 2}])])
    asked(url, "ALTER TABLE events ADD COLUMN mine text")
    table = place.at_hand("t")
    assert table is not None
    assert (table.known, list(table.held.columns)) == (frozenset({1}), ["n", "note"])
    assert {"mine", "xmin", "_offset"} <= set(table.rules.reserved)
    before, after = told_in_turn(table, [(1, texts[0]), (None, texts[1])])
    assert (before.conflicts, after.impossible) == ((), "")
    assert after.conflicts[0].startswith("n")
    assert "n_2" in after.conflicts[0]
    asked(url, "DROP TABLE schema_places")
    assert place.at_hand("t") is None
