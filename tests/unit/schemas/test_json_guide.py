"""What the page on JSON values says is so."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from producer.scenarios import find_scenario
from schemas.formats import NAMES, value_format
from schemas.types.arrow import arrow_schema
from schemas.types.tree import parse
from tests.unit.schemas.test_json_values import REFUSED

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "json.md").read_text()
ROWS = dict(re.findall(r"^\| ([^|]+) \| [^|]+ \| (`.+`) \|$", GUIDE, re.MULTILINE))

EXAMPLES: list[tuple[str, Any, list[Any]]] = [
    ("null, boolean", "boolean", [True]),
    ("int, long", "long", [-(1 << 63)]),
    ("float, double", "double", [0.1, float("nan"), float("-inf")]),
    ("string, uuid, enum", "string", ["it's ä"]),
    ("bytes, fixed", "bytes", [b"\x00\xff"]),
    ("decimal", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, [decimal.Decimal("12.5")]),
    ("date", {"type": "int", "logicalType": "date"}, [dt.date(2026, 1, 31)]),
    ("time-millis, time-micros", {"type": "int", "logicalType": "time-millis"}, [dt.time(23, 59, 59, 999_000)]),
    ("timestamp-millis, -micros", {"type": "long", "logicalType": "timestamp-millis"},
     [dt.datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=dt.UTC)]),
    ("local-timestamp-millis, -micros", {"type": "long", "logicalType": "local-timestamp-millis"},
     [dt.datetime(2026, 1, 31, 12, 0, 0, 250_000)]),
    ("record, map", {"type": "record", "name": "P", "fields": [{"name": "lat", "type": "double"}]}, [{"lat": 1.5}]),
    ("array", {"type": "array", "items": "int"}, [[1, 2]]),
    ("null and one other type", ["null", "int"], [None]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "kind", "values"), EXAMPLES, ids=[row for row, _, _ in EXAMPLES])
def test_the_examples_of_the_table_are_what_is_written(row: str, kind: Any, values: list[Any]) -> None:
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": kind}]})
    batch = pa.RecordBatch.from_pylist([{"a": value} for value in values], schema=arrow_schema(parse(text)))
    written = value_format("plain-json").encoder(text, 0).encode(batch).to_pylist()
    assert [f'{{"a":{example}}}'.encode() for example in re.findall(r"`([^`]+)`", ROWS[row])] == written


def test_the_example_of_a_union_is_read() -> None:
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", "string", "int"]}]})
    example = ROWS["other unions"].strip("`")
    assert value_format("json").decoder(text).decode_one(f'{{"a":{example}}}'.encode()) == {"a": "x"}


def test_the_scenario_of_the_page_is_one(tmp_path: Path) -> None:
    scenarios = (ROOT / "docs" / "scenarios.md").read_text()
    (tmp_path / "order.avsc").write_text(scenarios.split("```json\n")[1].split("```")[0])
    (tmp_path / "orders.yaml").write_text(GUIDE.split("```yaml\n")[1].split("```")[0])
    assert find_scenario(str(tmp_path / "orders.yaml")).format == "json"


def test_the_page_names_every_format_and_every_class() -> None:
    assert [name for name in NAMES if f"| `{name}` |" not in GUIDE] == []
    assert sorted({kind for _, _, kind in REFUSED if f"`{kind}`" not in GUIDE}) == []


def test_a_time_of_another_zone_is_read_as_the_page_says() -> None:
    (said,) = re.findall(r"\(`(2026-01-31T[^`]+)`\)", GUIDE)
    text = json.dumps({
        "type": "record", "name": "R",
        "fields": [{"name": "a", "type": {"type": "long", "logicalType": "timestamp-millis"}}],
    })  # fmt: skip
    found = value_format("json").decoder(text).decode_one(json.dumps({"a": said}).encode())
    assert found["a"] == dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
