"""A run that was loaded into PostgreSQL is proved, checked, published and reported as one in a DuckDB file is."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cluster.connection import Connection
from cluster.errors import WarehouseLocked
from cluster.local import state_dir
from consumer.sinks import place_named
from streamproof.cli import run
from tests.kit.depth import DEEP
from tests.kit.postgres import PostgresServer
from tests.kit.topics import make_ready

EVENTS, DUPLICATES, BROKEN, EMPTY = 1000, 20, 5, 3
ROWS = EVENTS + DUPLICATES - BROKEN - EMPTY
FAULTS = (f"duplicate={DUPLICATES}", "late=15", f"undecodable.truncated={BROKEN}", f"tombstone={EMPTY}")


@dataclass
class Loaded:
    """A run in a database: commands on it, and changes of it by hand."""

    server: PostgresServer
    topic: str
    database: str
    folder: Path

    @property
    def url(self) -> str:
        return self.server.url(self.database)

    def copy(self) -> Loaded:
        """Return the same in a database of its own."""
        name = f"copy_{uuid.uuid4().hex[:12]}"
        self.server.run(f'CREATE DATABASE "{name}" TEMPLATE "{self.database}"')
        return replace(self, database=name)

    def command(self, capsys: pytest.CaptureFixture[str], command: str, *more: str) -> tuple[int, dict[str, Any]]:
        """Run a command on the topic, and return its exit code and document."""
        capsys.readouterr()
        where = [self.url, "--topic", self.topic] if command == "verify" else [self.topic, "--to", self.url]
        keeps = command in {"audit", "check", "publish", "report"}
        publications = ["--publications", str(self.folder)] if keeps else []
        code = run([command, *where, *publications, *more, "--json"])
        return code, json.loads(capsys.readouterr().out)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in the schema of the topic."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT set_config('search_path', quote_ident(%s), false)", [self.topic])
            cursor = connection.execute(statement)  # type: ignore[call-overload]  # written by a test
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def audited(
    connection: Connection, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loaded]:
    """A run with faults that was sent, loaded into PostgreSQL and audited there."""
    folder = tmp_path_factory.mktemp("proved-in-postgres")
    topic = make_ready(connection, f"in-postgres-{uuid.uuid4().hex[:8]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMPROOF_STATE_DIR", str(folder / "state"))
        patch.setenv("STREAMPROOF_BOOTSTRAP_SERVERS", connection.kafka.bootstrap_servers)
        patch.setenv("STREAMPROOF_REGISTRY_URL", connection.registry.url)
        faults = [part for fault in FAULTS for part in ("--fault", fault)]
        sent = ["produce", "customer_events", "--topic", topic, "--events", str(EVENTS), "--shards", "2", *faults]
        assert run(sent) == 0
        lab = Loaded(postgres, topic, postgres.database().rpartition("/")[2], folder / "publications")
        assert run(["load", topic, "--to", lab.url, "--max-quarantined", str(BROKEN)]) == 0
        assert run(["audit", topic, "--to", lab.url]) == 0
        yield lab


def test_a_run_in_postgresql_goes_from_the_load_to_a_published_page(audited, capsys):
    lab = audited.copy()
    code, audit = lab.command(capsys, "audit")
    assert (code, audit["verdict"], audit["lost"], audit["altered"]) == (0, "PASSED", 0, 0)
    assert lab.command(capsys, "check")[0] == 0
    code, published = lab.command(capsys, "publish")
    assert (code, published["rows"]) == (0, ROWS)
    code, report = lab.command(capsys, "report")
    assert code == 0
    assert json.loads((Path(report["path"]).parent / "summary.json").read_text())["verdict"] == "PASSED"
    # What was written down is in the database.
    assert lab.sql("SELECT verdict FROM audits ORDER BY number") == [("PASSED",), ("PASSED",)]
    assert lab.sql("SELECT count(*) > 5 FROM check_results") == [(True,)]
    assert lab.sql("SELECT rows FROM publications") == [(ROWS,)]
    code, verified = lab.command(capsys, "verify")
    assert (code, [proof for proof in verified["proofs"] if proof["verdict"] != "PASSED"]) == (0, [])
    folder = Path(published["path"]).parents[1]
    capsys.readouterr()
    assert run(["verify", str(folder), "--warehouse", lab.url, "--json"]) == 0
    assert f"/{lab.database}, schema {lab.topic}" in json.loads(capsys.readouterr().out)["against"]


def test_the_environment_names_the_warehouse_of_a_command_that_is_told_none(audited, capsys, monkeypatch):
    monkeypatch.setenv("STREAMPROOF_WAREHOUSE", audited.url)
    assert run(["quarantine", "list", audited.topic, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["records"], document["warehouse"]) == (BROKEN, place_named(audited.url, audited.topic).shown)
    assert audited.server.password not in document["warehouse"]


def test_without_a_topic_the_only_warehouse_of_a_database_is_verified(audited, capsys):
    assert run(["verify", audited.url, "--json"]) == 0
    lab = audited.copy()
    assert run(["load", lab.topic, "--to", lab.url]) == 0
    lab.sql(f'ALTER SCHEMA "{lab.topic}" RENAME TO elsewhere')
    capsys.readouterr()
    assert run(["verify", lab.url, "--json"]) == 78
    assert "the database holds no warehouse" in json.loads(capsys.readouterr().out)["error"]["message"]


# The verdict failed, could not be given, or the warehouse is said to be damaged.
REFUSED = {65, 74, 75, 78}
ONE, LAST = ("WHERE ctid = (SELECT min(ctid) FROM {0})", "WHERE ctid = (SELECT max(ctid) FROM {0})")
EDITS = {
    "a row is gone": f"DELETE FROM events {ONE}",
    "rows are moved": "UPDATE events SET _offset = _offset + 100000",
    "a text": f"UPDATE events SET event_type = 'browse!' {ONE}",
    "a number": f"UPDATE events SET timestamp = timestamp + interval '1 millisecond' {LAST}",
    "a member of a document": f"UPDATE events SET device = jsonb_set(device, '{{{{os}}}}', '\"none\"') {ONE}",
    "a member of an item": "UPDATE events SET recommendations = jsonb_set(recommendations, '{{0}}', "
    "recommendations -> 1) WHERE ctid = (SELECT min(ctid) FROM events WHERE jsonb_array_length(recommendations) > 1)",
    "a document": f"UPDATE events SET location = NULL {LAST}",
    "a member more": f"UPDATE events SET device = device || '{{{{\"added\": 1}}}}' {ONE}",
    "a leaf of another type": f"UPDATE events SET device = jsonb_set(device, '{{{{os}}}}', '5') {ONE}",
    "a day that is read as before": f"UPDATE events SET subscription = jsonb_set(subscription, '{{{{start_date}}}}', "
    f"to_jsonb((subscription ->> 'start_date') || ' 23:59:59')) {ONE}",
    "a day that is none": f'UPDATE events SET subscription = subscription || \'{{{{"start_date": "x"}}}}\' {ONE}',
    "the time of a record": f"UPDATE events SET _timestamp = _timestamp + interval '1 second' {LAST}",
    "the key of a record": f"UPDATE events SET _key = '\\x00' {LAST}",
    "the checksum of a record": f"UPDATE events SET _crc32 = _crc32 # 1 {LAST}",
    "the schema of a record": f"UPDATE events SET _schema_id = _schema_id + 1 {LAST}",
    "a quarantined value": f"UPDATE quarantine SET value = value || '\\x00' {LAST}",
    "a quarantined record is gone": f"DELETE FROM quarantine {LAST}",
    "a tombstone is gone": f"DELETE FROM tombstones {LAST}",
    "the ledger": f"UPDATE load_batches SET events = events + 1, absent = absent - 1 {ONE}",
    "a position": "UPDATE load_offsets SET next_offset = next_offset - 1",
    "the text of a schema": "UPDATE schema_versions SET schema = replace(schema, 'session_id', 'session_ix')",
    "a column of another type": "ALTER TABLE events ALTER COLUMN session_id TYPE varchar(40)",
    "a column is gone": "ALTER TABLE events DROP COLUMN session_id",
    "a column is said to be of another type": "UPDATE event_types SET type = '\"BLOB\"' WHERE name = 'session_id'",
    "a view in place of a table": "ALTER TABLE events RENAME TO real_events; CREATE VIEW events AS TABLE real_events",
    "a policy that hides rows": "ALTER TABLE events ENABLE ROW LEVEL SECURITY",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_what_somebody_changed_in_the_database_is_never_passed_and_never_published(audited, capsys, edit):
    lab = audited.copy()
    (table,) = re.findall(r"^(?:UPDATE|DELETE FROM|ALTER TABLE) (\w+)", edit)
    before = lab.sql(f"TABLE {table}")
    lab.sql(edit.format(table))
    assert "ALTER" in edit or lab.sql(f"TABLE {table}") != before
    doors = ("verify", "audit", "publish") if DEEP else ("audit",)
    for door in doors:
        code, document = lab.command(capsys, door)
        assert code in REFUSED, (door, document)
        assert document.get("verdict") != "PASSED"


HARMLESS = {
    "an index": "CREATE INDEX ON events (user_id)",
    "a table of somebody's own": "CREATE TABLE notes (note text)",
    "a column of somebody's own": "ALTER TABLE events ADD COLUMN note text",
    "the order of the rows": "CLUSTER events USING events_pkey",
    "documents written anew": "UPDATE events SET device = (device::text)::jsonb",
}


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS)
def test_what_changes_nothing_of_meaning_stays_passed(audited, capsys, edit):
    lab = audited.copy()
    lab.sql(edit)
    code, audit = lab.command(capsys, "audit")
    assert (code, audit["verdict"]) == (0, "PASSED")


def test_a_load_goes_on_while_a_run_is_proved_and_two_proofs_take_turns(audited, capsys):
    lab = audited.copy()
    place = place_named(lab.url, lab.topic)
    with place.to_prove() as warehouse:
        with pytest.raises(WarehouseLocked, match="another process proves the warehouse"), place.to_prove(wait_s=0.3):
            pass
        assert lab.command(capsys, "load")[0] == 0
        warehouse.rows("UPDATE audits SET document = document || ' '")
    assert lab.sql("SELECT right(document, 1) FROM audits") == [(" ",)]


def test_a_proof_that_fails_keeps_what_it_kept_and_leaves_no_copy_behind(audited):
    lab = audited.copy()

    def fails() -> None:
        with place_named(lab.url, lab.topic).to_prove() as warehouse:
            warehouse.rows("UPDATE audits SET verdict = 'UNKNOWN'")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fails()
    assert lab.sql("SELECT verdict FROM audits") == [("UNKNOWN",)]
    assert list((state_dir() / "proving").iterdir()) == []


def test_a_killed_proof_writes_nothing_and_its_copy_is_removed_by_the_next(audited, capsys):
    lab = audited.copy()
    program = (
        "import os, signal, sys; from consumer.sinks import place_named\n"
        "with place_named(sys.argv[1], sys.argv[2]).to_prove() as warehouse:\n"
        "    warehouse.rows(\"UPDATE audits SET verdict = 'FAILED'\")\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, lab.url, lab.topic], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert len(list((state_dir() / "proving").iterdir())) == 1
    assert lab.sql("SELECT verdict FROM audits") == [("PASSED",)]
    assert lab.command(capsys, "audit")[0] == 0
    assert list((state_dir() / "proving").iterdir()) == []
