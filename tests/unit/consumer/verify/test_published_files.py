"""A published file is what it was, or it is named and written anew; a reader keeps its snapshot."""

from __future__ import annotations

import hashlib
import importlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from consumer.publish.lease import is_read
from consumer.publish.paths import run_slug
from consumer.publish.publish import Publication, publish
from schemas.identity import event_id
from streamproof.cli import run

publish_module = importlib.import_module("consumer.publish.publish")

RUN = "rehearsal/one"
OTHER = "rehearsal/two"
TOPIC = "customer_events"


def publish_it(lab: Any, run_id: str = OTHER) -> Publication:
    return publish(lab.path, TOPIC, run_id, lab.publications)


def file_of(lab: Any, run_id: str = RUN) -> Path:
    return Path(lab.publications) / TOPIC / "current" / "events" / f"{run_slug(run_id)}.parquet"


def rows(publication: Publication, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(publication.path / "snapshot.duckdb"), read_only=True) as reader:
        return reader.execute(query).fetchall()


def rewritten(path: Path) -> None:
    """Change the content of a file in place, as it was linked."""
    other = path.with_suffix(".new")
    duckdb.execute(
        f"COPY (SELECT * REPLACE ('HACKED' AS user_id) FROM read_parquet('{path}')) TO '{other}' (FORMAT parquet)"
    )
    path.chmod(0o644)
    path.write_bytes(other.read_bytes())
    other.unlink()


def destroyed(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-20])


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "changed": (rewritten, "it was changed after it was published"),
    "damaged": (destroyed, "it is damaged"),
    "missing": (lambda path: path.unlink(), "it is missing"),
}


@pytest.mark.parametrize(("damage", "named"), DAMAGE.values(), ids=DAMAGE)
def test_a_file_that_is_not_what_was_published_is_named_and_written_anew(
    joined: Any, damage: Callable[[Path], None], named: str
) -> None:
    path = file_of(joined)
    before = path.resolve()
    damage(path)
    done = publish_it(joined)
    assert done.renewed == [f"{before}: {named}; it was written anew from the warehouse"]
    assert (done.runs, done.rows) == (2, 1200)
    assert rows(done, "SELECT count(*) FROM events WHERE user_id = 'HACKED'") == [(0,)]
    assert publish_it(joined).renewed == []


def test_a_changed_file_of_a_run_that_is_not_proved_any_more_is_left_out(joined: Any) -> None:
    rewritten(file_of(joined))
    # Its latest audit still says PASSED, and so do ledger and checks of the other run.
    joined.store(f"UPDATE events SET _crc32 = _crc32 + 1 WHERE event_id = '{event_id(RUN, 0, 7)}'")
    done = publish_it(joined)
    assert (done.runs, done.rows) == (1, 600)
    assert "the run is not proved any more: Of 600 acknowledged events: 1 altered; it is left out" in done.renewed[0]
    assert rows(done, "SELECT run_id, verdict, published FROM runs ORDER BY run_id") == [
        (RUN, "UNKNOWN", False),
        (OTHER, "PASSED", True),
    ]


def test_manifests_that_cannot_be_read_keep_their_own_run_from_readers_and_no_other(joined: Any) -> None:
    rewritten(file_of(joined))
    joined.store(f"UPDATE manifests SET document = 'torn' WHERE run_id = '{RUN}'")
    done = publish_it(joined)
    assert (done.runs, done.rows) == (1, 600)
    assert f"a manifest of run {RUN} that the warehouse keeps cannot be read; it is left out" in done.renewed[0]


def test_a_file_of_an_earlier_version_without_hash_is_written_anew(joined: Any) -> None:
    joined.sql("DELETE FROM published_files")
    done = publish_it(joined)
    assert "no hash of it was kept" in done.renewed[0]
    assert done.runs == 2


def test_hash_and_rows_of_each_file_are_in_warehouse_and_snapshot(joined: Any) -> None:
    done = publish_it(joined)
    kept = joined.sql("SELECT file, sha256, rows FROM published_files WHERE publication = 2 ORDER BY ALL")
    assert kept == rows(done, "SELECT file, sha256, rows FROM files ORDER BY ALL")
    assert {(name, digest) for name, digest, _ in kept} == {
        (path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in (done.path / "events").iterdir()
    }
    assert [count for *_, count in kept] == [600, 600]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o444), (0o077, 0o400)], ids=["open", "private"])
def test_nobody_may_write_a_published_file_and_the_umask_says_who_may_read_it(
    joined: Any, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        # The file of the run that was published before is linked, and has the mode of its time: write all of them.
        destroyed(file_of(joined))
        done = publish_it(joined)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in done.path.rglob("*") if path.is_file()}
    assert set(modes.values()) == {mode}, modes


def test_the_command_says_what_was_written_anew(joined: Any, capfd: pytest.CaptureFixture[str]) -> None:
    destroyed(file_of(joined))
    folders = ["--warehouse", str(joined.path), "--publications", str(joined.publications)]
    assert run(["publish", TOPIC, "--run-id", OTHER, *folders]) == 0
    assert "it is damaged; it was written anew" in " ".join(capfd.readouterr().out.split())


_READER = """
import duckdb, sys
reader = duckdb.connect(sys.argv[1], read_only=True)
print(reader.execute("SELECT count(*) FROM event_mix").fetchone()[0] > 0, flush=True)
for line in sys.stdin:
    print(reader.execute("SELECT count(*) FROM events").fetchone()[0], flush=True)
"""


@contextmanager
def reading(snapshot: Path) -> Iterator[Callable[[], str]]:
    """Open a snapshot in another process; the value counts its events there."""
    command = [sys.executable, "-c", _READER, str(snapshot / "snapshot.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"

        def count() -> str:
            process.stdin.write("\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            return process.stdout.readline().strip()  # type: ignore[union-attr]

        yield count
        process.stdin.close()
        process.wait(30)


def test_a_reader_keeps_its_snapshot_whatever_is_published_meanwhile(
    proved: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_module, "KEPT_SNAPSHOTS", 1)
    first = publish_it(proved, RUN)
    with reading(first.path) as count:
        others = [publish_it(proved, RUN).path for _ in range(2)]
        assert count() == "600"
        assert not others[0].exists(), "nobody reads it"
    publish_it(proved, RUN)
    assert not first.path.exists(), "its reader has gone"


def test_a_reader_of_the_parquet_files_alone_can_hold_a_lock(proved: Any) -> None:
    snapshot = publish_it(proved, RUN).path
    assert not is_read(snapshot)
    command = ["flock", "--shared", str(snapshot / "snapshot.duckdb"), "-c", "echo held; read line"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert is_read(snapshot)
        process.communicate("\n", timeout=30)
    assert not is_read(snapshot)
    assert os.access(snapshot, os.R_OK)
