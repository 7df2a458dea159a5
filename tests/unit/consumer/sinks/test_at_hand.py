"""A warehouse that is asked what it holds before anything is sent: it is read, and nobody is waited for."""

from __future__ import annotations

import json
import time

import duckdb
import pytest

from cluster.errors import WarehouseDamaged
from cluster.topics import TopicInfo
from consumer.sinks import place_of
from consumer.sinks.duckdb.sink import DuckDBSink
from consumer.sinks.duckdb.warehouse import open_warehouse
from schemas.columns.at_hand import told_in_turn
from tests.kit.versions import Loader, framed, one, record

LONG = json.dumps(record("R", one("kept", "int"), one("amount", "long")))
DOUBLE = json.dumps(record("R", one("kept", "int"), one("amount", "double")))


@pytest.fixture
def warehouse(tmp_path):
    """A warehouse of topic t that holds a version with a long, as schema id 7."""
    path = tmp_path / "w.duckdb"
    with open_warehouse(path, topic="t") as opened:
        sink = DuckDBSink(opened)
        sink.begin(TopicInfo("t", "id", "cluster", 1, 1), {0: 0}, [], "load")
        Loader(sink, {7: LONG}).put(framed(7, LONG, [{"kept": 1, "amount": 2}]))
    return path


def test_it_says_what_its_columns_hold_and_which_ids_it_has_decided(warehouse):
    before = warehouse.read_bytes()
    table = place_of(warehouse).at_hand("t")
    assert warehouse.read_bytes() == before
    assert table is not None
    assert table.known == {7}
    assert [str(kind) for kind in table.held.columns.values()] == ["INTEGER", "BIGINT"]
    (told,) = told_in_turn(table, [(8, DOUBLE)])
    assert "amount_2" in told.conflicts[0]
    assert told_in_turn(table, [(7, DOUBLE)])[0].conflicts == ()


def test_there_is_nothing_to_ask_of_another_topic_or_of_no_warehouse(warehouse, tmp_path):
    assert place_of(warehouse).at_hand("other") is None
    assert place_of(tmp_path / "none.duckdb").at_hand("t") is None
    assert not (tmp_path / "none.duckdb").exists()


@pytest.mark.parametrize("document", ["not JSON", '{"type": "LIST"}'])
def test_a_warehouse_whose_notes_somebody_changed_is_damaged(warehouse, document):
    with duckdb.connect(str(warehouse)) as opened:
        opened.execute("UPDATE event_layout SET document = ?", [document])
    with pytest.raises(WarehouseDamaged, match="cannot be read"):
        place_of(warehouse).at_hand("t")


def test_a_file_of_something_else_is_told_and_one_without_layouts_is_not_asked(tmp_path):
    (tmp_path / "text.duckdb").write_text("this is text")
    with pytest.raises(WarehouseDamaged):
        place_of(tmp_path / "text.duckdb").at_hand("t")
    duckdb.connect(str(tmp_path / "plain.duckdb")).close()
    began = time.monotonic()
    assert place_of(tmp_path / "plain.duckdb").at_hand("t") is None
    assert time.monotonic() - began < 5
