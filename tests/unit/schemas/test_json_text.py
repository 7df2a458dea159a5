"""Types inside themselves: their JSON text is all that was written, and gives the same bytes again."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.formats.avro.codec import Decoder, Encoder
from schemas.undecodable import UndecodableValue
from tests.kit.avro_rows import INT, LONG, TEXT, write
from tests.kit.depth import examples

CASES = Path(__file__).resolve().parents[2] / "cases"
_KIND = {"type": "enum", "name": "Kind", "symbols": ["LEAF", "NODE"]}
_FOUR = {"type": "fixed", "name": "Four", "size": 4}
_EITHER = ["null", "int", "string", "bytes", "Kind", "Four", "Tree", {"type": "array", "items": ["null", "Tree"]}]
TREE = {
    "type": "record",
    "name": "Tree",
    "namespace": "p.q",
    "fields": [
        {"name": "count", "type": "long"},
        {"name": "small", "type": {"type": "int", "logicalType": "date"}},
        {"name": "share", "type": "float"},
        {"name": "amount", "type": "double"},
        {"name": "label", "type": "string"},
        {"name": "raw", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "kind", "type": _KIND},
        {"name": "four", "type": ["null", _FOUR]},
        {"name": "on", "type": "boolean"},
        {"name": "nothing", "type": "null"},
        {"name": "empty", "type": {"type": "record", "name": "Empty", "fields": []}},
        {"name": "next", "type": ["Tree", "null"]},
        {"name": "children", "type": {"type": "array", "items": "Tree"}},
        {"name": "by_name", "type": {"type": "map", "values": "Tree"}},
        {"name": "either", "type": {"type": "array", "items": _EITHER}},
    ],
}
ROOT = {"type": "record", "name": "R", "fields": [{"name": "id", "type": "int"}, {"name": "tree", "type": TREE}]}
BYTES = st.binary(max_size=4)


def shortest(number: int) -> bytes:
    """A decimal as every writer writes it."""
    return number.to_bytes((number + (number < 0)).bit_length() // 8 + 1, "big", signed=True)


def trees(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    either = st.one_of(
        st.none(),
        INT,
        TEXT,
        BYTES.map(lambda raw: ("bytes", raw)),
        st.sampled_from(["LEAF", "NODE"]).map(lambda symbol: ("p.q.Kind", symbol)),
        st.binary(min_size=4, max_size=4).map(lambda raw: ("p.q.Four", raw)),
        below.map(lambda tree: ("p.q.Tree", tree)),
        st.lists(st.none() | below, max_size=2),
    )
    return st.fixed_dictionaries(
        {
            "count": LONG,
            "small": st.integers(-700_000, 2_900_000),
            "share": st.floats(width=32, allow_nan=False),
            "amount": st.floats(allow_nan=False),
            "label": TEXT,
            "raw": st.integers(-999_999_999, 999_999_999).map(shortest),
            "kind": st.sampled_from(["LEAF", "NODE"]),
            "four": st.none() | st.binary(min_size=4, max_size=4),
            "on": st.booleans(),
            "nothing": st.none(),
            "empty": st.just({}),
            "next": st.none() | below,
            "children": st.lists(below, max_size=2),
            "by_name": st.dictionaries(TEXT, below, max_size=2),
            "either": st.lists(either, max_size=2),
        }
    )


NO_TREE: dict[str, Any] = {
    "count": 1, "small": 2, "share": 0.5, "amount": -0.0, "label": "", "raw": b"\0", "kind": "LEAF", "four": None,
    "on": True, "nothing": None, "empty": {}, "next": None, "children": [], "by_name": {}, "either": [],
}  # fmt: skip
ROWS = st.lists(
    st.fixed_dictionaries({"id": INT, "tree": st.recursive(st.just(NO_TREE), trees, max_leaves=4)}),
    min_size=1,
    max_size=3,
)


def without_logical(schema: Any) -> Any:
    """Return a schema as fastavro writes raw values with."""
    if isinstance(schema, list):
        return [without_logical(branch) for branch in schema]
    if isinstance(schema, dict):
        return {key: without_logical(value) for key, value in schema.items() if key != "logicalType"}
    return schema


@given(ROWS)
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_fastavro_writes_comes_back_as_the_same_bytes(rows: list[Any]) -> None:
    payloads = [write(without_logical(ROOT), row) for row in rows]
    batch = Decoder(json.dumps(ROOT)).decode(payloads)
    assert [value[5:] for value in Encoder(json.dumps(ROOT), 1).encode(batch).to_pylist()] == payloads
    for row, found in zip(rows, batch.column(1).to_pylist(), strict=True):
        if row["tree"]["next"] is None:
            assert found["next"] is None
        else:
            said = json.loads(found["next"])
            given = row["tree"]["next"]
            assert (said["count"], said["label"]) == (given["count"], given["label"])
            assert float(said["amount"]) == given["amount"]  # text where it is not finite
            assert said["raw"].encode("latin-1") == given["raw"]
            assert len(said["either"]) == len(given["either"])


def link(count: int) -> bytes:
    return b"".join(b"\x02\x02a\x02" for _ in range(count - 1)) + b"\x02\x02a\x00"


LINK = (CASES / "shapes" / "31_linked_list.avsc").read_text()


def test_a_list_of_ten_thousand_links_is_read_and_written() -> None:
    payload = link(10_000)
    batch = Decoder(LINK).decode([payload, link(2)])
    assert batch.column("next")[1].as_py() == '{"value":1,"label":"a","next":null}'
    assert batch.column("next")[0].as_py().count("value") == 9_999
    assert [value[5:] for value in Encoder(LINK, 1).encode(batch).to_pylist()] == [payload, link(2)]


@pytest.mark.parametrize("bits", [0x7FF8000000000000, 0x7FF8000000000001, 0xFFF0000000000007, 0xFFF0000000000000])
def test_numbers_that_are_not_finite_keep_their_bits(bits: int) -> None:
    schema = {
        "type": "record",
        "name": "N",
        "fields": [{"name": "d", "type": "double"}, {"name": "f", "type": "float"}],
    }
    schema["fields"].append({"name": "n", "type": ["null", "N"]})  # type: ignore[attr-defined]
    single = struct.pack("<I", 0x7F800000 | bits >> 63 << 31 | bits & 0xFFFF)
    one = struct.pack("<Q", bits) + single
    payload = bytes(12) + b"\x02" + one + b"\x00"
    batch = Decoder(json.dumps(schema)).decode([payload])
    assert [value[5:] for value in Encoder(json.dumps(schema), 1).encode(batch).to_pylist()] == [payload]
    said = json.loads(batch.column("n")[0].as_py())
    assert isinstance(said["d"], str)
    assert math.isinf(struct.unpack("<d", one[:8])[0]) == ("Infinity" in said["d"])


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (link(3)[:-1], "truncated"),
        (link(3)[:-1] + b"\x04", "bad_union"),
        (link(3) + b"\x00", "trailing_bytes"),
        (b"\x02\x02a\x02\x02\x02\xff\x00", "invalid_utf8"),
        (b"\x02\x02a\x02" + b"\xff" * 11, "bad_number"),
    ],
)
def test_what_is_wrong_inside_is_named(payload: bytes, fault: str) -> None:
    salvaged = Decoder(LINK).salvage([link(1), payload, link(2)])
    assert {index: error.kind for index, error in salvaged.faults.items()} == {1: fault}
    assert salvaged.kept == [0, 2]
    with pytest.raises(UndecodableValue):
        Decoder(LINK).decode_one(payload)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        '{"value":1}',
        '{"value":1,"label":"a","next":null} ',
        '{"value":1.5,"label":"a","next":null}',
        '{"value":9223372036854775808,"label":"a","next":null}',
        '{"value":1,"label":"\\ud800","next":null}',
        '{"value":1,"label":7,"next":null}',
        '{"value":1,"label":"a","next":{"Other":null}}',
        '{"value":1,"label":"a","next":{"Link":null}}',
    ],
)
def test_text_that_is_no_value_of_the_type_is_refused_with_its_column(text: str) -> None:
    encoder = Encoder(LINK, 1)
    batch = pa.record_batch({"value": [1], "label": ["a"], "next": [text]}, schema=encoder.arrow_schema)
    with pytest.raises(ValueError, match=r"column next: .* has to stand"):
        encoder.encode(batch)
