"""Columns of fields: every name is possible, none clash, none is too long, and none ever moves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.sinks.batch import METADATA_COLUMNS
from consumer.sinks.postgres.columns import judged
from consumer.sinks.postgres.values.types import cut_name
from schemas.columns.held import Held
from schemas.types.node import Node

LONG = "n" * 70
NAMES = st.one_of(
    st.text(min_size=1, max_size=8),
    st.text("nN", min_size=60, max_size=70),
    st.sampled_from(["xmin", "XMAX", "ctid", "tableoid", "_offset", "_Batch", "note", LONG, cut_name(LONG)]),
)


def root(fields: list[str]) -> Node:
    return Node("record", name="R", fields=tuple((field, Node("int")) for field in fields))


@given(st.lists(NAMES, unique=True, min_size=1, max_size=12), st.integers(1, 12), st.sets(NAMES, max_size=4))
def test_columns_never_clash_are_never_too_long_and_never_change(
    fields: list[str], known_count: int, others: set[str]
) -> None:
    first = judged(Held(), {}, others, root(fields[:known_count]))
    columns = {name: cut_name(name) for name in first.held.columns}
    second = judged(first.held, columns, others, root(fields))
    assert [each.field for each in second.columns] == fields
    assert [each.column for each in second.columns][: len(first.columns)] == [each.column for each in first.columns]
    there = [cut_name(name).lower() for name in second.held.columns]
    assert len(set(there)) == len(there)
    assert not set(there) & {name.lower() for name in (*METADATA_COLUMNS, *others, "xmin", "ctid", "tableoid")}
    assert all(len(name.encode()) <= 63 for name in there)
    # The whole name is the field's, or the field's with a number: what a DuckDB warehouse would call it.
    for each in second.columns:
        assert each.column == each.field or each.column.removeprefix(f"{each.field}_").isdecimal()
