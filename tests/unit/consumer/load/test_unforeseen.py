"""Whatever a library raises about one schema or one value becomes a quarantine row, and never ends a load."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.errors import RegistryUnreachable, StoreFull
from cluster.records import Records, Span
from consumer.load.decode import Reader, decode
from consumer.load.readers import Readers
from consumer.sinks.duckdb.batches import DuckDBBatches
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.warehouse import open_warehouse
from schemas.formats import Salvaged, WrittenSchema, value_format
from schemas.formats.avro.codec import Decoder
from schemas.formats.frame import HEADER_BYTES, Frames
from schemas.types.limits import MAX_BRANCHES
from schemas.types.tree import parse
from schemas.undecodable import UndecodableValue, UnsupportedSchema
from tests.kit.depth import examples
from tests.unit.consumer.sinks.test_batches import SCHEMA, FakeMessage, counts, value

PanicException = type("PanicException", (BaseException,), {})
ODD: tuple[type[BaseException], ...] = (
    ValueError,
    OverflowError,
    RecursionError,
    AssertionError,
    KeyError,
    pa.ArrowInvalid,
    pa.ArrowCapacityError,
    UnicodeDecodeError,
    ZeroDivisionError,
    PanicException,
)


def raised(kind: type[BaseException]) -> BaseException:
    return kind("utf-8", b"secret", 0, 1, "secret") if kind is UnicodeDecodeError else kind("secret")


class OddDecoder(Decoder):
    """Raises for the values that it is told to; in a group, for the first of them."""

    def __init__(self, odd: dict[bytes, type[BaseException]]) -> None:
        super().__init__(json.dumps(SCHEMA))
        self._odd = odd

    def salvage(self, values: list[bytes]) -> Salvaged:
        for one in values:
            if one in self._odd:
                raise raised(self._odd[one])
        return super().salvage(values)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([None, "junk", *ODD]), min_size=1, max_size=60))
def test_records_about_which_a_library_raises_are_set_apart_with_its_class(tmp_path: Path, fates: list[Any]) -> None:
    bodies = [b"\0\0\0\0\1\xff" if fate == "junk" else value(n) for n, fate in enumerate(fates)]
    odd = {body[HEADER_BYTES:]: fate for body, fate in zip(bodies, fates, strict=True) if isinstance(fate, type)}
    records = Records.of([FakeMessage(at, body) for at, body in enumerate(bodies)])
    reader = Reader(1, OddDecoder(odd), ["n"], value_format())
    chunk = decode(records, [Span(0, 0, len(bodies))], lambda _: reader, Frames())
    good = [n for n, fate in enumerate(fates) if fate is None]
    assert [n for group in chunk.groups for n in group.table.column("n").to_pylist()] == good
    assert np.concatenate([[], *(group.rows for group in chunk.groups)]).tolist() == good
    found = {reject.row: (reject.phase, reject.kind) for reject in chunk.rejects}
    expected = {n: ("decode", fate.__name__) for n, fate in enumerate(fates) if isinstance(fate, type)}
    assert found == expected | {n: ("decode", "truncated") for n, fate in enumerate(fates) if fate == "junk"}
    assert all("secret" not in reject.message for reject in chunk.rejects)


@pytest.mark.parametrize(
    "kind", [MemoryError, pa.ArrowMemoryError, OSError, KeyboardInterrupt, SystemExit, StoreFull, RegistryUnreachable]
)
def test_what_no_value_can_be_blamed_for_ends_the_load(kind: type[BaseException]) -> None:
    bodies = [value(n) for n in range(4)]
    records = Records.of([FakeMessage(at, body) for at, body in enumerate(bodies)])
    reader = Reader(1, OddDecoder({bodies[2][HEADER_BYTES:]: kind}), ["n"], value_format())
    with pytest.raises(kind):
        decode(records, [Span(0, 0, 4)], lambda _: reader, Frames())


def test_a_schema_about_which_a_library_raises_is_a_fault_of_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> Decoder:
        raise RecursionError

    monkeypatch.setattr("schemas.formats.avro.format.Decoder", fail)
    registry: Any = SimpleNamespace(schema=lambda _: WrittenSchema("{}"))
    readers: Any = Readers(registry, {7: WrittenSchema("{}")}, lambda *_: [])
    for _ in range(2):
        with pytest.raises(UndecodableValue) as fault:
            readers(7)
        assert (fault.value.phase, fault.value.kind) == ("schema", "RecursionError")


@pytest.mark.parametrize(("types", "taken"), [(MAX_BRANCHES, True), (MAX_BRANCHES + 1, False)])
def test_a_union_with_more_types_than_arrow_counts_is_refused_in_words(tmp_path: Path, types: int, taken: bool) -> None:
    kinds: list[Any] = [
        {"type": "record", "name": f"K{n}", "fields": [{"name": "x", "type": "int"}]} for n in range(types)
    ]
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "body", "type": kinds}]})
    if not taken:
        with pytest.raises(UnsupportedSchema, match="body: a union of 128 types; a table holds unions of up to 127"):
            parse(text)
        return
    decoder = Decoder(text)
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        warehouse.rows("INSERT INTO load_offsets VALUES ('c', 't', 'id', 0, 0)")
        columns = EventColumns(warehouse)
        reader = Reader(1, decoder, columns.adopt(1, parse(text)), value_format())
        last = b"\0\0\0\0\1" + b"\xfc\x01" + b"\x0e"  # branch 126, x = 7
        batches = DuckDBBatches(warehouse, columns, "load")
        batches.add(decode(Records.of([FakeMessage(0, last)]), [Span(0, 0, 1)], lambda _: reader, Frames()))
        batches.commit()
        assert counts(warehouse) == (1, 0, 1)
        assert warehouse.rows("SELECT body.K126.x FROM events") == [(7,)]
