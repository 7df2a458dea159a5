"""Every shape of a schema that is met in public, the whole way: preview, gate, produce, load, audit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.depth import SHAPE_STRIDE
from tests.kit.topics import make_topic
from tests.kit.whole_way import refusals, scenario_of, whole_way

SHAPES = Path(__file__).parents[2] / "cases" / "shapes"
# What no table holds, and the words that say so.
REFUSED = {
    "33_reference_left_out": "type people.Person is defined neither here nor",
    "48_array_at_the_top": "a table needs a record",
    "49_union_inside_a_union": "union",
    "50_name_with_a_dash": "'first-name' is not one of letters",
}
NAMES = sorted(path.stem for path in SHAPES.glob("*.avsc") if path.stem not in REFUSED)


@pytest.mark.parametrize("name", NAMES[::SHAPE_STRIDE])
def test_a_shape_goes_the_whole_way(connection, topic_name, tmp_path, name):
    topic = make_topic(connection, topic_name("shape"))
    scenario = scenario_of((SHAPES / f"{name}.avsc").read_bytes(), tmp_path)
    said = whole_way(scenario, topic, tmp_path / "w.duckdb")
    assert said["verdict"] == "PASSED", said["reason"]
    assert said["not_compared"] == []


@pytest.mark.parametrize("name", list(REFUSED)[:: min(SHAPE_STRIDE, 3)])
def test_a_shape_that_no_table_holds_is_refused_in_words_before_anything_is_sent(
    connection, topic_name, tmp_path, name
):
    topic = make_topic(connection, topic_name("shape"))
    for sentence in refusals(scenario_of((SHAPES / f"{name}.avsc").read_bytes(), tmp_path), topic):
        assert REFUSED[name] in sentence
