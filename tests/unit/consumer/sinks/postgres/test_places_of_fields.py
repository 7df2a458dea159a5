"""Columns of fields: every name is possible, none clash, none is too long, and none ever moves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.sinks.batch import METADATA_COLUMNS
from consumer.sinks.postgres.columns import places

NAMES = st.one_of(
    st.text(min_size=1, max_size=8),
    st.text("nN", min_size=60, max_size=70),
    st.sampled_from(["xmin", "XMAX", "ctid", "tableoid", "_offset", "_Batch", "note"]),
)


@given(st.lists(NAMES, unique=True, max_size=12), st.integers(0, 12), st.sets(NAMES, max_size=4))
def test_columns_never_clash_are_never_too_long_and_never_change(
    fields: list[str], known_count: int, others: set[str]
) -> None:
    first = places(fields[:known_count], {}, others)
    known = {field: place.column for field, place in first.items()}
    found = places(fields, known, {*others, *(place.name for place in first.values())})
    assert list(found) == fields
    assert {field: found[field].column for field in known} == known
    columns = [place.column.lower() for place in found.values()]
    assert len(set(columns)) == len(columns)
    assert not set(columns) & {name.lower() for name in (*METADATA_COLUMNS, *others, "xmin", "ctid", "tableoid")}
    assert all(len(place.column.encode()) <= 63 for place in found.values())
    # The whole name is the field's, or the field's with a number: what a DuckDB warehouse would call it.
    for field, place in found.items():
        if field not in known:
            assert place.name == field or place.name.removeprefix(f"{field}_").isdecimal()
