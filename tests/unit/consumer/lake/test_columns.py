"""The columns of a lake's files: every type of the loader has one, they only grow, and rows fit them without loss."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.errors import WarehouseDamaged
from consumer.lake.job.columns import METADATA, RESERVED, LakeColumns, fitted, identity_of
from consumer.lake.job.shelf import Shelf
from schemas.formats import WrittenSchema
from schemas.types.tree import Node, parse
from tests.kit.versions import APART, BYTES, HELD, TEXTS, Change, Texts, decimal, framed, one, record, rows, schemas

NONE = LakeColumns()


def root(*fields: dict[str, Any]) -> Node:
    return parse(json.dumps(record("R", *fields)))


def names(columns: LakeColumns, node: Node) -> list[str]:
    grown, places = columns.grown(node)
    return [grown.of(place) for place in places]


def test_a_name_of_ours_and_one_that_differs_in_case_get_numbers() -> None:
    found = names(NONE, root(*(one(name, "int") for name in ("date", "Hour", "hour_2", "schema_id"))))
    assert found == ["date_2", "Hour_2", "hour_2_2", "schema_id_2"]
    assert not {name.lower() for name in found} & set(RESERVED)


def test_an_identity_in_the_value_is_the_event_id_and_any_other_field_of_that_name_is_not() -> None:
    ours = root(one("event_id", "string"), one("n", "int"))
    grown, places = NONE.grown(ours)
    assert identity_of(ours) == "event_id"
    assert [grown.of(place) for place in places] == ["event_id", "n"]
    assert grown.arrow_schema().names[-1] == "n"
    assert names(grown, root(one("event_id", "long"))) == ["event_id_2"]


def into_files(tmp_path: Path, versions: tuple[str, str], changes: dict[str, Change], *, widen: bool) -> pa.Table:
    """Write a file of each version, as a lake that met both has them, and read them together."""
    columns, files = NONE, []
    for number, text in enumerate(versions, 1):
        columns, places = columns.grown(parse(text), widen=widen)
        decoded = (
            WrittenSchema(text)
            .written.decoder(text)
            .salvage([value[5:] for value in framed(number, text, rows(changes, number))])
        )
        assert not decoded.faults
        held = columns.held.record.members
        file = {
            held[place.at][0]: fitted(array, place, held[place.at][1])
            for array, place in zip(decoded.batch.columns, places, strict=True)
            if place is not None
        }
        files.append(str(tmp_path / f"{number}.parquet"))
        pq.write_table(pa.table(file), files[-1])
    with duckdb.connect() as session:
        return session.sql(f"FROM read_parquet({files}, union_by_name = true)").to_arrow_table()


# What becomes of the values of a union: a struct of its branches.
UNIONS = {
    "nullable_union": [{"string": None, "long": 2**63 - 1}, {"string": "a", "long": None}, None],
    "text_union": [{"string": "a", "int": None}, {"string": None, "int": 7}, {"string": None, "int": -1}],
    "maybes": [[{"string": "a", "int": None}, {"string": None, "int": 1}, None], [], [{"string": None, "int": 2}]],
}
# Types that a file keeps and no reader turns into the next one.
OWN_COLUMN = {
    "string_bytes",
    "decimal",
    "nullable_union",
    "text_union",
    "double_union",
    "decimal_union",
    "texts",
    "maybes",
    "map",
}


def test_files_of_two_versions_are_read_together_and_every_value_is_there(tmp_path: Path) -> None:
    changes = HELD | APART
    found = into_files(tmp_path, schemas(changes), changes, widen=True)
    apart = {name.removesuffix("_2") for name in found.column_names if name.endswith("_2")}
    assert apart == OWN_COLUMN | set(APART) - {"within"}  # whose member has one
    for name in changes.keys() - {"null_string", "unions", "renamed", "inside", "within", "place"}:
        change = changes[name]
        values = found.column(name).to_pylist()
        later = found.column(f"{name}_2").to_pylist()[3:] if name in apart else values[3:]
        assert same(values[:3], list(change.values)), name
        if name in UNIONS:
            assert later == UNIONS[name], name
        elif not name.endswith("union") and name != "map":
            text_in_bytes = name == "bytes_string"
            assert same(later, [each.encode() if text_in_bytes else each for each in change.later]), name
        assert name not in apart or values[3:] == [None] * 3
    assert found.column("within").to_pylist()[2:4] == [{"x": 2**63 - 1, "x_2": None}, {"x": None, "x_2": 0.5}]
    before, after = found.column("place").to_pylist()[2:4]
    nothing = dict.fromkeys(("note_2", "sum_2", "tag_2", "more"))
    assert before == nothing | {"n": 1.0, "note": TEXTS[1], "sum": Decimal("1.5"), "tag": "t"}
    tag = {"string": None, "int": 3}
    widened = {"note_2": BYTES[1], "sum_2": Decimal("1.125"), "tag_2": tag}
    assert after == {"n": 0.5, "more": 1} | dict.fromkeys(("note", "sum", "tag")) | widened


def test_a_delta_table_keeps_every_type_and_takes_members(tmp_path: Path) -> None:
    changes = {
        name: HELD[name] for name in ("int_long", "decimal", "null_string", "ints")
    } | {"members": Change(record("M", one("a", "int")), [{"a": 1}] * 3,
                           record("M", one("a", "int"), one("b", "string")), [{"a": 2, "b": "x"}] * 3)}  # fmt: skip
    found = into_files(tmp_path, schemas(changes), changes, widen=False)
    assert [name for name in found.column_names if name.endswith("_2")] == ["int_long_2", "decimal_2", "ints_2"]
    assert found.column("int_long_2").to_pylist()[3:] == list(HELD["int_long"].later)
    assert found.column("members").to_pylist() == [{"a": 1, "b": None}] * 3 + [{"a": 2, "b": "x"}] * 3


def test_a_renamed_field_stays_in_the_column_of_its_first_name(tmp_path: Path) -> None:
    changes = {name: HELD[name] for name in ("renamed", "inside")}
    found = into_files(tmp_path, schemas(changes), changes, widen=True)
    assert found.column_names == ["was_called", "inside"]
    assert found.column("was_called").to_pylist() == [*HELD["renamed"].values, *HELD["renamed"].later]
    assert [row["old"] for row in found.column("inside").to_pylist()] == [0, 1, 2, 0, 1, 2]


def same(found: Any, wanted: Any) -> bool:
    """Compare values, NaN and the sign of zero included."""
    return repr([_plain(each) for each in found]) == repr([_plain(each) for each in wanted])


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return [[key, _plain(child)] for key, child in value.items()]
        case list() | tuple():
            return [_plain(each) for each in value]
        case Decimal():
            return value.normalize()
        case int() if abs(value) < 2**53:
            return float(value)
    return value


TYPES = [
    ("time", {"type": "long", "logicalType": "time-micros"}, 27_000_000_000, "07:30:00.000000"),
    ("time_millis", {"type": "int", "logicalType": "time-millis"}, 27_000_000, "07:30:00.000000"),
    ("fixed", {"type": "fixed", "name": "F", "size": 2}, b"ab", b"ab"),
    ("nothing", record("N", one("nothing", "null"), one("n", "int")), {"nothing": None, "n": 1},
     {"nothing": None, "n": 1}),
    ("times", {"type": "map", "values": {"type": "int", "logicalType": "time-millis"}}, {"k": 3_600_000},
     [("k", "01:00:00.000000")]),
    ("amounts", {"type": "array", "items": ["null", decimal(5, 1)]}, [None], [None]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "value", "wanted"), TYPES, ids=[each[0] for each in TYPES])
def test_every_type_goes_into_parquet_and_comes_back(name: str, kind: Any, value: Any, wanted: Any) -> None:
    text = json.dumps(record("R", one(name, ["null", kind])))
    columns, (place,) = NONE.grown(parse(text))
    payloads = [each[5:] for each in framed(1, text, [{name: value}, {name: None}, {name: value}])]
    (array,) = WrittenSchema(text).written.decoder(text).salvage(payloads).batch.columns
    assert place is not None
    kept = columns.held.record.members[place.at][1]
    for part in (array, array.slice(1)):  # Arrow hands over slices
        buffer = pa.BufferOutputStream()
        pq.write_table(pa.table({"c": fitted(part, place, kept)}), buffer)
        back = pq.read_table(pa.BufferReader(buffer.getvalue()))["c"]
        assert back.type == columns.arrow_schema().field(name).type
        assert back.to_pylist() == [wanted, None, wanted][3 - len(part) :]


def test_a_lake_of_an_earlier_version_keeps_its_columns_and_says_from_now_on_what_they_hold(tmp_path: Path) -> None:
    first, second = schemas({"renamed": HELD["renamed"], "n": HELD["int_long"], "nothing": HELD["null_string"]})
    schemas_folder = tmp_path / "schemas"
    schemas_folder.mkdir()
    for number, text in enumerate((first, second), 7):
        (schemas_folder / f"{number}.json").write_text(json.dumps({"id": number, "format": "avro", "text": text}))
        os.utime(schemas_folder / f"{number}.json", (number, number))
    # A rename was two columns.
    there = pa.schema(
        [*METADATA, ("was_called", pa.string()), ("n", pa.int64()), ("nothing", pa.string()), ("renamed", pa.string())]
    )
    fields = {name: name for name in ("was_called", "n", "nothing", "renamed")}
    note = {b"streamproof": json.dumps(fields).encode()}
    pq.write_table(there.with_metadata(note).empty_table(), schemas_folder / "columns.parquet")
    for _ in range(2):
        shelf = Shelf(tmp_path, "t", Texts({7: first, 8: second}), event_time="", widen=True)
        assert set(shelf.columns.arrow_schema()) == set(there)
        shelf.learn([8, 7])
        held = [[shelf.columns.of(place) for place in shelf.judged[number].places] for number in (7, 8)]
        assert held == [["was_called", "n", "nothing"], ["renamed", "n", "nothing"]]


def test_columns_that_no_kept_schema_has_are_somebodys_change(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    there = pa.schema([*METADATA, ("n", pa.int64())]).with_metadata({b"streamproof": b'{"n": "n"}'})
    pq.write_table(there.empty_table(), tmp_path / "schemas" / "columns.parquet")
    with pytest.raises(WarehouseDamaged, match="the column n as the files have it"):
        Shelf(tmp_path, "t", Texts({}), event_time="", widen=True)
