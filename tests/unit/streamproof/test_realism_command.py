"""`streamproof realism` finds what is wrong in a file or a run, says which events, and leaves it for the report."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumer.report import write_report
from consumer.sinks.duckdb.warehouse import open_warehouse
from producer.scenarios.customer_events.scenario import CustomerEvents
from producer.toolkit.ids import event_ids
from schemas.manifest import Manifest, SchemaUsed
from streamproof.cli import run
from tests.unit.producer.scenarios.test_places import MODULE, SCHEMA

SENT_AT = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
EVENTS, SEED, RUN, TOPIC = 4000, 5, "a run/one", "customer_events"


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return CustomerEvents().settings(EVENTS, int(SENT_AT.timestamp() * 1000))


@pytest.fixture(scope="module")
def table(settings) -> pa.Table:
    block = CustomerEvents().open(SEED, 0, settings).block(0)
    ids = event_ids(RUN, 0, np.arange(EVENTS, dtype=np.int64))
    return pa.Table.from_arrays([ids, *block.columns], names=["event_id", *block.schema.names])


@pytest.fixture
def broken(table) -> tuple[pa.Table, str]:
    """Return the events with one of them altered, and its id."""
    rows = table.to_pylist()
    row = next(row for row in rows if row["event_type"] == "content_play")
    row["details"]["bandwidth"] = -1.0
    return pa.Table.from_pylist(rows, schema=table.schema), row["event_id"]


def parquet(folder: Path, table: pa.Table) -> str:
    path = folder / "it's events.parquet"
    pq.write_table(table, path)
    return str(path)


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_a_file_that_keeps_every_rule_is_said_to(tmp_path, table, capsys):
    assert run(["realism", parquet(tmp_path, table), "--seed", str(SEED), "--json"]) == 0
    document = said(capsys)
    assert (document["events"], document["violations"], document["violations_per_million"]) == (EVENTS, 0, 0.0)
    assert len(document["rules"]) >= 34
    assert {"hours", "popularity", "mix"} <= {curve["name"] for curve in document["curves"]}


def test_a_violation_is_named_with_its_event(tmp_path, broken, capsys):
    table, event_id = broken
    assert run(["realism", parquet(tmp_path, table), "--seed", str(SEED), "--json"]) == 65
    document = said(capsys)
    rule = next(rule for rule in document["rules"] if rule["rule"] == "R14")
    assert (rule["violations"], rule["per_million"], rule["examples"]) == (1, 250.0, [event_id])
    assert document["error"]["exit_code"] == 65


def test_a_person_reads_an_aligned_table(tmp_path, broken, capsys):
    table, event_id = broken
    assert run(["realism", parquet(tmp_path, table), "--seed", str(SEED)]) == 65
    text = capsys.readouterr().out
    assert event_id in text
    assert "popularity, exponent" in text
    assert "as declared" in text


def test_a_duckdb_file_is_read_and_not_written(tmp_path, table, capsys):
    path = tmp_path / "events.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.register("given", table)
        connection.execute("CREATE TABLE events AS FROM given")
    before = path.read_bytes()
    assert run(["realism", str(path), "--seed", str(SEED), "--json"]) == 0
    assert said(capsys)["events"] == EVENTS
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content", "words", "code"),
    [
        ("gone.parquet", None, "no file", 78),
        ("other.parquet", pa.table({"a": [1]}), "not events of customer_events", 78),
        ("few.parquet", pa.table({"event_id": ["x"], "timestamp": [SENT_AT]}), "no column event_type", 78),
    ],
)
def test_what_is_no_such_data_is_refused(tmp_path, capsys, name, content, words, code):
    if content is not None:
        pq.write_table(content, tmp_path / name)
    assert run(["realism", str(tmp_path / name), "--json"]) == code
    assert words in said(capsys)["error"]["message"]


def test_a_file_is_held_against_the_rules_of_the_scenario_that_is_named(tmp_path, table, capsys):
    path = parquet(tmp_path, table)
    assert run(["realism", path, "--seed", str(SEED), "--scenario", "clickstream", "--json"]) == 78
    assert said(capsys)["error"]["message"] == "the scenario clickstream declares no rules"
    assert run(["realism", path, "--seed", str(SEED), "--scenario", "customer_event", "--json"]) == 78
    assert "unknown scenario 'customer_event'" in said(capsys)["error"]["message"]
    assert run(["realism", path, "--seed", str(SEED), "--scenario", "customer_events", "--json"]) == 0


def test_a_damaged_file_is_a_fault_of_the_store(tmp_path, capsys):
    (tmp_path / "events.parquet").write_bytes(b"PAR1 and then nothing")
    assert run(["realism", str(tmp_path / "events.parquet"), "--json"]) == 74
    assert "cannot be read" in said(capsys)["error"]["message"]


def test_several_runs_in_a_file_are_refused(tmp_path, table, capsys):
    other = table.slice(0, 10).set_column(0, "event_id", event_ids("other", 0, np.arange(10, dtype=np.int64)))
    assert run(["realism", parquet(tmp_path, pa.concat_tables([table, other])), "--json"]) == 78
    assert "several runs" in said(capsys)["error"]["message"]


@pytest.fixture
def path(tmp_path, table, settings) -> Path:
    """Return a warehouse that holds the run as a load leaves it: times with their zone."""
    path = tmp_path / "warehouse.duckdb"
    manifest = Manifest(
        status="finished",
        run_id=RUN,
        shard=0,
        shards=1,
        topic=TOPIC,
        scenario="customer_events",
        scenario_version=CustomerEvents.version,
        seed=SEED,
        settings=settings,
        schema_used=SchemaUsed(subject=f"{TOPIC}-value", version=1, id=1),
        started_at=SENT_AT.isoformat(),
        ended_at=SENT_AT.isoformat(),
        next_sequence=EVENTS,
        acknowledged=EVENTS,
        start_offsets={},
    )
    with open_warehouse(path, topic=TOPIC) as warehouse:
        connection = warehouse.connection
        connection.register("given", table)
        zoned = 'STRUCT(action_type VARCHAR, "timestamp" TIMESTAMPTZ, duration INTEGER, completed BOOLEAN, '
        zoned += "old_quality VARCHAR, new_quality VARCHAR, old_speed DOUBLE, new_speed DOUBLE)[]"
        connection.execute(
            "CREATE OR REPLACE TABLE events AS SELECT * "
            f"REPLACE (timestamp::TIMESTAMPTZ AS timestamp, actions::{zoned} AS actions), "
            "1::BIGINT AS _batch, 0 AS _partition, 0::BIGINT AS _offset, encode(user_id) AS _key, "
            "0::UINTEGER AS _crc32, timestamp::TIMESTAMPTZ AS _timestamp, 1 AS _schema_id FROM given"
        )
        connection.execute("INSERT INTO event_columns VALUES ('event_id', 'event_id')")
        connection.execute(
            "INSERT INTO manifests (run_id, shard, status, document, read_at) VALUES (?, 0, 'finished', ?, ?)",
            [RUN, manifest.model_dump_json(), SENT_AT],
        )
    return path


def test_a_run_is_examined_and_the_report_shows_it(tmp_path, path, capsys):
    assert run(["realism", RUN, "--topic", TOPIC, "--warehouse", str(path), "--json"]) == 0
    document = said(capsys)
    assert (document["run_id"], document["events"], document["seed"]) == (RUN, EVENTS, SEED)
    report = write_report(path, TOPIC, RUN, tmp_path / "publications")
    page = report.path.read_text()
    assert "<h2>Realism</h2>" in page
    assert "no violation" in page
    assert 'id="realism-hours-t"' in page
    summary = json.loads(report.path.with_name("summary.json").read_text())
    assert summary["realism"] == document


def test_the_latest_run_is_examined_when_none_is_named(path, capsys):
    assert run(["realism", "--topic", TOPIC, "--warehouse", str(path), "--json"]) == 0
    assert said(capsys)["run_id"] == RUN


def test_a_run_that_is_not_loaded_is_not_praised(path, capsys):
    with open_warehouse(path, topic=TOPIC) as warehouse:
        warehouse.connection.execute("DELETE FROM events")
    assert run(["realism", "--topic", TOPIC, "--warehouse", str(path), "--json"]) == 78
    assert "no event of the run" in said(capsys)["error"]["message"]


def test_an_unknown_run_is_refused(path, capsys):
    assert run(["realism", "never", "--topic", TOPIC, "--warehouse", str(path), "--json"]) == 78
    assert "never" in said(capsys)["error"]["message"]


def test_a_run_of_another_scenario_is_held_against_its_own_rules_or_none(tmp_path, path, capsys):
    names = """'"scenario":"customer_events"', '"scenario":"beats"'"""
    with open_warehouse(path, topic=TOPIC) as warehouse:
        warehouse.connection.execute(f"UPDATE manifests SET document = replace(document, {names})")
    (tmp_path / "beat.avsc").write_text(SCHEMA)
    (tmp_path / "beats.py").write_text(MODULE)
    asked = ["realism", "--topic", TOPIC, "--warehouse", str(path), "--scenario-path", str(tmp_path), "--json"]
    assert run(asked) == 78
    assert said(capsys)["error"]["message"] == "the scenario beats declares no rules"
    rules = "{'rule': 'B1', 'text': 'Some.', 'violations': 0, 'per_million': 0.0, 'examples': []}"
    rest = "'violations': 0, 'violations_per_million': 0, 'figures': [], 'curves': []"
    found = f"{{'events': 3, 'rules': [{rules}], {rest}}}"
    examine = f"    def examine(self, connection, source, run, progress=None):\n        return {found}\n\n    def open("
    (tmp_path / "beats.py").write_text(MODULE.replace("    def open(", examine))
    assert run(asked) == 0
    assert [rule["rule"] for rule in said(capsys)["rules"]] == ["B1"]
    (tmp_path / "beats.py").unlink()
    assert run(asked) == 78
    assert "unknown scenario 'beats'" in said(capsys)["error"]["message"]
