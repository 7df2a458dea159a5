"""Every shape of a schema that is met in public: what another client writes is read, stored and given back the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.formats.avro.codec import Decoder, Encoder
from schemas.formats.frame import HEADER_BYTES
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema
from tests.kit.edge_values import Edges, same
from tests.kit.table_trip import through_a_table

SHAPES = Path(__file__).parents[2] / "cases" / "shapes"
# What no table holds, and the words that say so.
REFUSED = {
    "33_reference_left_out": "person: type people.Person is defined neither here nor",
    "48_array_at_the_top": "a table needs a record",
    "49_union_inside_a_union": "union",
    "50_name_with_a_dash": "first-name: the field's name 'first-name' is not one of letters",
}
NAMES = sorted(path.stem for path in SHAPES.glob("*.avsc") if path.stem not in REFUSED)
ROWS = 60


@pytest.mark.parametrize("name", NAMES)
def test_what_another_client_writes_is_read_stored_and_given_back_the_same(name):
    text = (SHAPES / f"{name}.avsc").read_text()
    root = parse(text)
    edges = [Edges(root).row(number) for number in range(ROWS)]
    payloads = [payload for payload, _ in edges]
    batch = Decoder(text).decode(payloads)
    for found, (_, right) in zip(batch.to_pylist(), edges, strict=True):
        assert same(found, right), (found, right)
    encoder = Encoder(text, 1)
    assert [value[HEADER_BYTES:] for value in encoder.encode(batch).to_pylist()] == payloads
    again = encoder.encode(through_a_table(root, batch)).to_pylist()
    assert [value[HEADER_BYTES:] for value in again] == payloads


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_table_holds_is_refused_in_words(name):
    with pytest.raises(UnsupportedSchema) as refused:
        parse((SHAPES / f"{name}.avsc").read_text())
    assert REFUSED[name] in refused.value.message
