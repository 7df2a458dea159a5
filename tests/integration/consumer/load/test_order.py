"""The same topic gives the same warehouse, in every process: rows, quarantine, and the order of columns."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import duckdb

from tests.kit.depth import DEEP

SEEDS = ("0", "1", "2", "3") if DEEP else ("0", "1", "2")

# Which of the first two is there first decides which has the column of the name; the others bring columns.
TEXT = {"type": "record", "name": "A", "fields": [{"name": "v", "type": ["null", "string"]}]}
NUMBER = {"type": "record", "name": "A", "fields": [{"name": "v", "type": ["null", "long"]}]}
MORE = {
    "type": "record",
    "name": "A",
    "fields": [{"name": "v", "type": ["null", "string"]}, {"name": "z", "type": "int"}, {"name": "a", "type": "int"}],
}
OTHER = {
    "type": "record",
    "name": "A",
    "fields": [{"name": "v", "type": ["null", "string"]}, {"name": "m", "type": "int"}, {"name": "a", "type": "long"}],
}


def stored(path: Path) -> dict[str, Any]:
    """Everything that a load decides, in the order in which it stands in the file."""
    with duckdb.connect(str(path)) as file:
        return {
            name: file.execute(query).fetchall()
            for name, query in {
                "table": "DESCRIBE events",
                "fields": "SELECT * FROM event_columns",
                "schemas": "SELECT schema_id, schema FROM schema_versions",
                "events": "SELECT * EXCLUDE (_timestamp) FROM events ORDER BY _partition, _offset",
                "quarantine": "SELECT _partition, _offset, schema_id, error_class, error FROM quarantine",
                "kept": "SELECT * EXCLUDE (loaded_at, load_id, fetch_s, decode_s, insert_s) FROM load_batches",
            }.items()
        }


def test_a_topic_gives_the_same_warehouse_whatever_the_hash_seed_is(rig: Any, tmp_path: Path) -> None:
    rig.create(partitions=3)
    for partition in range(3):
        for schema, row in ((TEXT, {"v": "a"}), (NUMBER, {"v": 7}), (MORE, {"v": "b", "z": 1, "a": 2})):
            rig.produce(rig.encode(schema, [row] * (40 + partition)), partition=partition)
        rig.produce(
            [*rig.encode(OTHER, [{"v": "c", "m": 3, "a": 4}] * 20), b"junk", b"\0\0", None], partition=partition
        )
    found = []
    for seed in SEEDS:
        rig.warehouse = tmp_path / f"{seed}.duckdb"
        done = subprocess.run(
            rig.command(), env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        found.append(stored(rig.warehouse))
    assert [name for name, *_ in found[0]["table"] if name[0] != "_"] == ["v", "v_2", "z", "a", "m"]
    assert {kind for _, _, _, kind, _ in found[0]["quarantine"]} == {"bad_magic", "short"}
    assert all(one == found[0] for one in found[1:])
    rig.prove()


def test_the_version_that_comes_first_decides_and_not_the_one_with_more_records(rig: Any) -> None:
    rig.create()
    rig.produce([*rig.encode(TEXT, [{"v": "a"}]), *rig.encode(NUMBER, [{"v": 7}] * 50)])
    result = rig.load()
    assert (result.rows, result.quarantined) == (51, 0)
    assert rig.rows("SELECT count(v), any_value(typeof(v)), count(v_2) FROM events") == [(1, "VARCHAR", 50)]


def test_a_load_that_is_cut_into_pieces_meets_partitions_and_schemas_in_the_same_order(rig: Any) -> None:
    rig.create(partitions=3)
    for partition, schema, row in (
        (2, OTHER, {"v": "c", "m": 3, "a": 4}),
        (0, TEXT, {"v": "a"}),
        (1, NUMBER, {"v": 7}),
    ):
        rig.produce(rig.encode(schema, [row] * 300), partition=partition)
    whole, pieces = rig.warehouse, rig.warehouse.with_name("pieces.duckdb")
    rig.load()
    rig.warehouse = pieces
    rig.load(batch_rows=7)
    batches = {"kept", "events"}  # whose numbers differ, and nothing else
    assert stored(whole)["table"] == stored(pieces)["table"]
    assert {name: rows for name, rows in stored(whole).items() if name not in batches} == {
        name: rows for name, rows in stored(pieces).items() if name not in batches
    }
