"""Several runs told as one: their fields have one type each, or it is said that they have not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from cluster.errors import Misconfigured
from consumer.pipeline.joined import JoinedTruth


def joined(*kinds: pa.DataType) -> JoinedTruth:
    truths: list[Any] = [(None, SimpleNamespace(schema=pa.schema([pa.field("x", kind)]))) for kind in kinds]
    return JoinedTruth(truths)


def test_a_type_that_holds_both_is_taken() -> None:
    assert joined(pa.int32(), pa.int64()).schema.field("x").type == pa.int64()
    assert joined(pa.int32(), pa.float64()).schema.field("x").type == pa.float64()
    assert joined(pa.decimal128(10, 2), pa.decimal128(12, 4)).schema.field("x").type == pa.decimal128(12, 4)


@pytest.mark.parametrize("other", [pa.float64(), pa.float32(), pa.string()])
def test_types_that_no_other_holds_are_refused_in_words(other: pa.DataType) -> None:
    with pytest.raises(Misconfigured, match="different types"):
        joined(pa.int64(), other)
