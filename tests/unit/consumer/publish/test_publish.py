"""Readers see what was proved, all of it or the one before, and what they have open stays."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.errors import Busy, Misconfigured, StoreFull, VerdictFailed, VerdictUnknown
from consumer.proof.checks import run_checks
from consumer.proof.packs import RunPack
from consumer.publish.marts import marts_of_packs
from consumer.publish.publish import Publication, publish, run_slug
from consumer.publish.snapshot import TABLES, first_query
from consumer.sinks.duckdb.columns import EventColumns
from schemas.identity import event_id
from schemas.packs import find_pack
from schemas.types.tree import parse
from streamproof.cli import run
from tests.kit import ROOT

publish_module = importlib.import_module("consumer.publish.publish")
snapshot_module = importlib.import_module("consumer.publish.snapshot")

RUN = "rehearsal/one"
TOPIC = "customer_events"
MARTS = marts_of_packs([RunPack(TOPIC, find_pack(TOPIC))]).queries


def publish_it(lab: Any, run_id: str | None = RUN) -> Publication:
    return publish(lab.path, TOPIC, run_id, lab.publications, wait_s=0.2)


def current(lab: Any) -> Path:
    return Path(lab.publications) / TOPIC / "current"


def read(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as reader:
        return reader.execute(query).fetchall()


def test_a_proved_run_is_published(proved: Any) -> None:
    publication = publish_it(proved)
    assert (publication.rows, publication.runs) == (600, 1)
    assert current(proved).resolve() == publication.path
    assert read(publication.database, "SELECT count(*), count(DISTINCT event_id) FROM events") == [(600, 600)]
    assert read(publication.database, "SELECT run_id, verdict, lost, published FROM runs") == [(RUN, "PASSED", 0, True)]
    assert proved.sql("SELECT run_id, path, rows FROM publications") == [(RUN, str(publication.path), 600)]


def test_the_marts_agree_with_the_events(proved: Any) -> None:
    database = publish_it(proved).database
    tables = {row[0] for row in read(database, "SELECT table_name FROM duckdb_tables()")}
    marts = {mart.name: scenario for scenario, mart in MARTS}
    assert tables == marts.keys() | {"runs", "files", "publication", "marts"}
    assert dict(read(database, "SELECT mart, coalesce(scenario, '') FROM marts")) == marts
    plays = read(database, "SELECT count(*) FROM events WHERE event_type = 'content_play'")
    assert read(database, "SELECT sum(plays)::BIGINT FROM plays_by_genre_and_device") == plays
    for mart in ("event_mix", "events_per_second", "partition_skew"):
        assert read(database, f"SELECT sum(events)::BIGINT FROM {mart}") == [(600,)]


def test_a_topic_with_other_columns_is_published_without_their_marts(proved: Any) -> None:
    proved.reshape("ALTER TABLE events DROP details", without="details")
    proved.audit()
    run_checks(proved.path, RUN)
    database = publish_it(proved).database
    tables = {row[0] for row in read(database, "SELECT table_name FROM duckdb_tables()")}
    assert "event_mix" in tables
    assert "buffering_by_network" not in tables


@pytest.mark.parametrize(
    ("column", "query"), [("details", "FROM event_mix"), ("event_type", "FROM buffering_by_network")]
)
def test_the_query_that_is_printed_works_for_the_snapshot(proved: Any, column: str, query: str, capfd: Any) -> None:
    proved.reshape(f"ALTER TABLE events DROP {column}", without=column)
    proved.audit()
    run_checks(proved.path, RUN)
    folders = ["--warehouse", str(proved.path), "--publications", str(proved.publications)]
    assert run(["publish", TOPIC, "--run-id", RUN, *folders]) == 0
    printed = capfd.readouterr().out
    command = shlex.split(printed.split("read it", 1)[1].strip())
    assert query in command[-1]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (shown.returncode, "rows" in shown.stdout or "events" in shown.stdout) == (0, True), shown.stderr


def test_a_snapshot_without_marts_of_a_scenario_is_read_by_its_events(tmp_path: Path) -> None:
    database = tmp_path / "snapshot.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute(TABLES)
        connection.execute("INSERT INTO marts VALUES ('of_every_run', NULL), ('a-name', 'shop')")
    assert first_query(database) == "FROM events LIMIT 10"


def test_a_branch_of_a_union_has_the_same_name_in_warehouse_and_snapshot(lab: Any) -> None:
    lab.reshape(
        'ALTER TABLE events ADD COLUMN ref UNION("string" VARCHAR, "long" BIGINT)',
        'UPDATE events SET ref = union_value("string" := event_id)',
        'UPDATE events SET ref = union_value("long" := _offset) WHERE hash(event_id) % 2 = 0',
        more={"name": "ref", "type": ["string", "long"]},
    )
    lab.audit()
    run_checks(lab.path, RUN)
    query = 'SELECT count(ref."string"), count(ref."long"), sum(ref."long")::BIGINT, min(ref."string") FROM events'
    snapshot = publish_it(lab).database
    assert read(snapshot, query) == lab.sql(query)
    assert read(snapshot, "SELECT DISTINCT ref.element1 FROM events ORDER BY 1") == [(0,), (1,)]


def test_a_snapshot_reads_from_any_folder_and_through_the_link(proved: Any, tmp_path: Path) -> None:
    publish_it(proved)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = (
        "import duckdb, sys; reader = duckdb.connect(sys.argv[1], read_only=True); "
        "print(reader.execute('SELECT count(*) FROM events').fetchone()[0])"
    )
    database = str(current(proved) / "snapshot.duckdb")
    done = subprocess.run(
        [sys.executable, "-c", command, database], cwd=elsewhere, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "600"


def test_a_snapshot_that_was_moved_reads_when_told_where_it_is(proved: Any, tmp_path: Path) -> None:
    moved = publish_it(proved).path.rename(tmp_path / "moved")
    with duckdb.connect(str(moved / "snapshot.duckdb"), read_only=True) as reader:
        reader.execute("SET VARIABLE streamproof_events = ?", [f"{moved}/events/*.parquet"])
        assert reader.execute("SELECT count(*) FROM events").fetchall() == [(600,)]


def test_a_folder_with_pattern_letters_in_its_name_is_only_a_name(proved: Any, tmp_path: Path) -> None:
    proved.publications = tmp_path / "it's [1] *"
    assert read(publish_it(proved).database, "SELECT count(*) FROM events") == [(600,)]


def test_a_reader_keeps_the_snapshot_that_it_has_open(proved: Any) -> None:
    first = publish_it(proved)
    with duckdb.connect(str(first.database), read_only=True) as reader:
        second = publish_it(proved)
        assert second.path != first.path
        assert reader.execute("SELECT count(*) FROM events").fetchall() == [(600,)]
        assert reader.execute("SELECT sum(events)::BIGINT FROM event_mix").fetchall() == [(600,)]


def test_the_last_three_snapshots_are_kept(proved: Any) -> None:
    paths = [publish_it(proved).path for _ in range(4)]
    assert sorted((current(proved).parent / "snapshots").iterdir()) == paths[1:]


def test_earlier_runs_stay_published_as_long_as_they_pass(joined: Any) -> None:
    other = "rehearsal/two"
    second = publish_it(joined, other)
    assert (second.rows, second.runs) == (1200, 2)
    parquet = {path.stem: path for path in (second.path / "events").iterdir()}
    assert set(parquet) == {run_slug(RUN), run_slug(other)}
    assert parquet[run_slug(RUN)].stat().st_nlink == 2, "linked, not written again"
    joined.store(
        "INSERT INTO events SELECT * REPLACE (_offset + 10000 AS _offset) FROM events "
        f"WHERE event_id = '{event_id(RUN, 0, 7)}'"
    )
    assert joined.audit(RUN).verdict == "FAILED"
    third = publish_it(joined, other)
    assert (third.rows, third.runs) == (600, 1)
    assert read(third.database, "SELECT run_id, published FROM runs ORDER BY 1") == [(RUN, False), (other, True)]


def test_a_failed_audit_publishes_nothing(published: Any) -> None:
    before = current(published).resolve()
    published.sql(f"DELETE FROM events WHERE event_id = '{event_id(RUN, 0, 7)}'")
    published.audit()
    with pytest.raises(VerdictFailed, match="1 lost"):
        publish_it(published)
    assert current(published).resolve() == before


def test_an_unknown_verdict_publishes_nothing(proved: Any) -> None:
    proved.withdraw(1)
    proved.sql("DELETE FROM manifests")
    proved.audit()
    with pytest.raises(VerdictUnknown, match="left no manifest"):
        publish_it(proved)
    assert not current(proved).exists()


def test_a_failed_blocking_check_publishes_nothing(proved: Any) -> None:
    proved.send("UPDATE events SET user_id = '' WHERE event_id = (SELECT min(event_id) FROM events)")
    proved.audit()
    run_checks(proved.path, RUN)
    with pytest.raises(VerdictFailed, match="required_fields"):
        publish_it(proved)


def test_a_failed_warning_does_not_hold_a_publication_up(proved: Any) -> None:
    proved.sql("UPDATE load_batches SET loaded_at = loaded_at + INTERVAL 2 HOURS")
    proved.audit()
    assert [r.check for r in run_checks(proved.path, RUN).results if r.passed is False] == ["freshness"]
    assert publish_it(proved).rows == 600


def test_a_run_that_was_not_checked_is_not_published(audited: Any) -> None:
    with pytest.raises(VerdictUnknown, match="not been checked"):
        publish_it(audited)


def test_a_run_that_was_not_audited_is_not_published(audited: Any) -> None:
    audited.sql("DELETE FROM audits")
    with pytest.raises(VerdictUnknown, match="not been audited"):
        publish_it(audited)


def test_what_was_loaded_after_the_audit_was_not_proved(proved: Any) -> None:
    proved.sql(f"UPDATE events SET _batch = 2 WHERE event_id = '{event_id(RUN, 0, 7)}'")
    with pytest.raises(VerdictUnknown, match="loaded after its audit"):
        publish_it(proved)


def _some(condition: str) -> str:
    return f"rowid = (SELECT min(rowid) FROM events WHERE {condition})"


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (
            f"DELETE FROM events WHERE event_id = '{event_id(RUN, 0, 7)}'",
            f"lost was 0, is now 1 .{event_id(RUN, 0, 7)}",
        ),
        (f"INSERT INTO events FROM events WHERE event_id = '{event_id(RUN, 1, 3)}'", "duplicated was 0, is now 1"),
        (f"UPDATE events SET _crc32 = _crc32 + 1 WHERE event_id = '{event_id(RUN, 0, 7)}'", "altered was 0, is now 1"),
        (f"UPDATE events SET event_id = '{event_id(RUN, 0, 9999)}' WHERE {_some('true')}", "phantom was 0, is now 1"),
        (
            f"UPDATE events SET event_id = '{event_id('other', 0, 7)}' WHERE {_some('true')}",
            "loaded was 600, is now 599",
        ),
    ],
    ids=["deleted", "stored again", "checksum", "number", "run"],
)
def test_what_was_changed_by_hand_since_the_audit_is_not_published(published: Any, damage: str, named: str) -> None:
    before = current(published).resolve()
    published.sql(damage)
    with pytest.raises(VerdictFailed, match=f"not as the audit saw it: .*{named}") as caught:
        publish_it(published)
    assert caught.value.exit_code == 65
    assert current(published).resolve() == before
    assert published.audit().verdict == "FAILED"


def test_nothing_is_published_out_of_a_file_that_contradicts_its_ledger(joined: Any) -> None:
    before = current(joined).resolve()
    ((partition,),) = joined.sql(f"SELECT _partition FROM events WHERE event_id = '{event_id(RUN, 0, 7)}'")
    joined.sql(f"DELETE FROM events WHERE event_id = '{event_id(RUN, 0, 7)}'")
    with pytest.raises(VerdictUnknown, match=f"partition {partition} has .* events, its ledger says"):
        publish_it(joined, "rehearsal/two")
    with pytest.raises(VerdictFailed, match="lost was 0, is now 1"):
        publish_it(joined)
    assert current(joined).resolve() == before


def test_checks_that_are_older_than_the_audit_do_not_count(proved: Any) -> None:
    proved.audit()
    with pytest.raises(VerdictUnknown, match="the checks are older than the audit") as caught:
        publish_it(proved)
    assert "check` again" in str(caught.value)
    run_checks(proved.path, RUN)
    assert publish_it(proved).rows == 600


def test_a_check_that_is_said_to_have_passed_is_run_again(proved: Any) -> None:
    proved.send("UPDATE events SET user_id = '' WHERE event_id = (SELECT min(event_id) FROM events)")
    proved.audit()
    run_checks(proved.path, RUN)
    proved.sql("UPDATE check_results SET passed = TRUE")
    with pytest.raises(VerdictFailed, match="blocking checks failed: required_fields"):
        publish_it(proved)


def test_a_verdict_that_was_written_into_the_file_is_not_believed(lab: Any) -> None:
    lab.store(f"DELETE FROM events WHERE event_id = '{event_id(RUN, 0, 7)}'")
    assert lab.audit().verdict == "FAILED"
    lab.sql("UPDATE audits SET verdict = 'PASSED', document = replace(document, '\"FAILED\"', '\"PASSED\"')")
    run_checks(lab.path, RUN)
    lab.sql("UPDATE check_results SET passed = TRUE")
    with pytest.raises(VerdictFailed, match=r"record says PASSED, and the warehouse does not: .*1 lost"):
        publish_it(lab)


def test_an_audit_that_was_too_early_asks_for_another_one(proved: Any) -> None:
    proved.ends = {partition: (0, end + 5) for partition, (_, end) in proved.ends.items()}
    proved.after = dict.fromkeys(proved.ends)
    proved.amend(0, resumed=1)
    assert proved.audit().verdict == "UNKNOWN"
    with pytest.raises(VerdictUnknown, match="offsets behind the topic"):
        publish_it(proved)
    proved.store("UPDATE load_offsets SET next_offset = next_offset + 5")
    proved.sql("UPDATE load_batches SET batch = 2")
    with pytest.raises(VerdictUnknown, match="is older than the last load") as caught:
        publish_it(proved)
    assert "audit` again" in str(caught.value)


def test_a_run_that_was_continued_since_its_audit_was_not_proved(joined: Any) -> None:
    joined.amend(0, resumed=1)
    joined.audit("rehearsal/two")  # it keeps the new manifests of all runs
    with pytest.raises(VerdictUnknown, match="continued after its audit"):
        publish_it(joined)


_KILLED = """
import importlib, os, signal, sys
from pathlib import Path
publish = importlib.import_module("consumer.publish.publish")
snapshot = importlib.import_module("consumer.publish.snapshot")
module, name = sys.argv[1].split(":")
target = sys.modules[module]
real = getattr(target, name)
def die(*args, **kwargs):
    if sys.argv[2] == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(target, name, die)
publish.publish(Path(sys.argv[3]), "customer_events", None, Path(sys.argv[4]))
"""


@pytest.mark.parametrize(
    ("where", "when"),
    [
        ("consumer.publish.snapshot:_write_database", "before"),
        ("consumer.publish.publish:write_snapshot", "after"),
        ("consumer.publish.publish:_settle", "after"),
        ("consumer.publish.publish:_swap", "before"),
        ("consumer.publish.publish:_swap", "after"),
    ],
)
def test_a_kill_leaves_one_whole_snapshot_current_and_no_half_one(published: Any, where: str, when: str) -> None:
    before = current(published).resolve()
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, where, when, str(published.path), str(published.publications)],
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    swapped = (where, when) == ("consumer.publish.publish:_swap", "after")
    assert (current(published).resolve() != before) is swapped
    assert read(current(published) / "snapshot.duckdb", "SELECT count(*) FROM events") == [(600,)]
    after = publish_it(published)
    names = sorted(path.name for path in (current(published).parent / "snapshots").iterdir())
    assert not [name for name in names if name.startswith(".")]
    assert after.path.name == names[-1]
    assert sorted(path.name for path in current(published).parent.iterdir()) == [".lock", "current", "snapshots"]


def test_a_full_disk_keeps_what_was_published(published: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = current(published).resolve()

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(publish_module, "_settle", full)
    with pytest.raises(StoreFull) as caught:
        publish_it(published)
    assert caught.value.exit_code == 74
    assert current(published).resolve() == before
    assert [path for path in (current(published).parent / "snapshots").iterdir() if path != before] == []


def test_two_publications_of_a_topic_do_not_meet(proved: Any) -> None:
    folder = current(proved).parent
    with publish_module._alone(folder, 0.1), pytest.raises(Busy, match="another process publishes"):
        publish_it(proved)


@pytest.mark.parametrize("topic", ["../x", "a/b", "..", "", "x" * 250])
def test_a_topic_that_is_none_reaches_no_folder(proved: Any, topic: str) -> None:
    with pytest.raises(Misconfigured):
        publish(proved.path, topic, RUN, proved.publications)


def test_slugs_are_safe_for_files_and_different_for_different_runs() -> None:
    names = [
        "a/b",
        "a-b",
        "a b",
        "../../etc/passwd",
        "..",
        "x" * 250,
        "x" * 249 + "y",
        "ü",
        "",
        "scheduled__2026-11-20T10:00:00+00:00",
    ]
    slugs = [run_slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(
        slug not in (".", "..") and "/" not in slug and len(slug) < 80 and not slug.startswith(".") for slug in slugs
    )


def test_the_guide_lists_every_mart() -> None:
    guide = (ROOT / "docs" / "report.md").read_text()
    for _, mart in MARTS:
        assert f"| `{mart.name}` |" in guide, mart.name


def test_a_run_whose_columns_have_other_names_or_types_since_is_published_with_those_of_today(proved: Any) -> None:
    publish_it(proved)
    proved.add_run("rehearsal/two")
    schema = json.loads(proved.sql("SELECT schema FROM schema_versions")[0][0])
    for field in schema["fields"]:
        if field["name"] == "session_id":
            field |= {"name": "visit_id", "aliases": ["session_id"]}
        elif field["name"] == "user_id":
            field["type"] = "bytes"
    text = json.dumps(schema)
    with proved.open() as warehouse:
        EventColumns(warehouse).adopt(2, parse(text))
        warehouse.rows("INSERT INTO schema_versions VALUES (2, NULL, NULL, ?, now(), 'avro')", [text])
    assert proved.audit("rehearsal/two").verdict == "PASSED"
    run_checks(proved.path, "rehearsal/two")
    publication = publish_it(proved, "rehearsal/two")
    assert len(publication.renewed) == 1
    assert "user_id" in publication.renewed[0]
    rows = read(publication.database, "SELECT count(*), count(visit_id), any_value(typeof(user_id)) FROM events")
    assert rows == [(1200, 1200, "BLOB")]
    assert read(publication.database, "SELECT count(*) FROM (DESCRIBE events) WHERE column_name = 'session_id'") == [
        (0,)
    ]
