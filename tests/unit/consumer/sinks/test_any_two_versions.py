"""Any two versions of a schema in one topic: nothing of them goes into quarantine, and each value is what it was."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.topics import TopicInfo
from consumer.proof.inside.fitting import fitted
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.sink import DuckDBSink
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from schemas.columns.at_hand import AtHand, told_in_turn
from schemas.formats.avro.codec import Encoder
from schemas.types.tree import parse
from tests.kit.depth import examples
from tests.kit.schema_pairs import pairs, value_of
from tests.kit.versions import Loader, framed


@given(st.data(), pairs())
@settings(max_examples=examples(25), deadline=None)
def test_what_one_table_holds_is_given_back_as_it_was(data, versions):
    texts = {number: json.dumps(schema) for number, schema in enumerate(versions, 1)}
    sent: dict[int, list[bytes]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder, open_warehouse(Path(folder) / "w.duckdb", topic="t") as warehouse:
        sink = DuckDBSink(warehouse)
        sink.begin(TopicInfo("t", "id", "cluster", 1, 1), {0: 0}, [], "load")
        loader = Loader(sink, texts)
        for number in data.draw(st.sampled_from([(1, 2), (2, 1), (1, 2, 1)])):
            rows = [value_of(data.draw, versions[number - 1]) for _ in range(2)]
            values = framed(number, texts[number], rows)
            chunk = loader.put(values)
            assert not chunk.rejects
            sent[number] += values
        for number, values in sent.items():
            assert given_back(warehouse, number, texts[number]) == values
        names = set(EventColumns(warehouse).held.columns)
    told = told_in_turn(AtHand(), [(None, texts[1]), (None, texts[2])])
    fields = {field["name"].lower() for schema in versions for field in schema["fields"]}
    if not told[1].conflicts and not told[1].remarks:  # no word of the gate: each field is a column of its own name
        assert {name.lower() for name in names} == fields


def given_back(warehouse: Warehouse, schema_id: int, text: str) -> list[Any]:
    """Return the values of a schema's events, encoded again from their columns."""
    encoder, columns = Encoder(text, schema_id), EventColumns(warehouse).values_of(schema_id, parse(text))
    wanted = ", ".join(f"{columns[name]} AS f{place}" for place, name in enumerate(encoder.arrow_schema.names))
    query = f"SELECT {wanted} FROM events WHERE _schema_id = {schema_id} ORDER BY _offset"
    rows = warehouse.connection.sql(query).to_arrow_table().combine_chunks().to_batches()
    found: list[Any] = []
    for batch in rows:
        fit = [fitted(column, field.type) for column, field in zip(batch.columns, encoder.arrow_schema, strict=True)]
        found += encoder.encode(pa.RecordBatch.from_arrays(fit, names=encoder.arrow_schema.names)).to_pylist()
    return found
