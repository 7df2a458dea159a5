# ruff: noqa: E501 - a table: one row for each kind
"""Whatever somebody does by hand to a published snapshot is found, and the file or table is named."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from cluster.errors import StreamproofError
from consumer.publish.publish import publish
from consumer.verify import verify_publication
from tests.integration.consumer.proof.edits.conftest import Delivered
from tests.integration.consumer.proof.edits.places import FAULTED, PLAIN
from tests.kit.depth import DEEP, EDIT_PLACES, EDIT_STRIDE

Change = Callable[[Path, random.Random], None]


def parquet(run_id: str, query: str) -> Change:
    """Write a run's file anew: ``{file}`` is what it holds, ``{row}`` a row of it."""

    def change(snapshot: Path, dice: random.Random) -> None:
        (path,) = (snapshot / "events").glob(f"{run_id}-*.parquet")
        other = path.with_suffix(".new")
        with duckdb.connect() as connection:
            source = f"read_parquet('{path}')"
            rows = connection.execute(f"SELECT _partition, _offset FROM {source} ORDER BY ALL").fetchall()
            partition, offset = dice.choice(rows)
            row = f"(_partition = {partition} AND _offset = {offset})"
            connection.execute(f"COPY ({query.format(file=source, row=row)}) TO '{other}' (FORMAT parquet)")
        other.replace(path)

    return change


def database(statements: str) -> Change:
    """Change a snapshot's database."""

    def change(snapshot: Path, _: random.Random) -> None:
        with duckdb.connect(str(snapshot / "snapshot.duckdb")) as connection:
            connection.execute("SET VARIABLE streamproof_events = ?", [str(snapshot / "events" / "*.parquet")])
            connection.execute(statements)

    return change


def cut(snapshot: Path, dice: random.Random) -> None:
    path = next((snapshot / "events").glob(f"{PLAIN}-*.parquet"))
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: dice.randrange(len(content))])


def exchange(snapshot: Path, _: random.Random) -> None:
    first, second = sorted((snapshot / "events").glob("*.parquet"))
    kept = first.rename(first.with_suffix(".kept"))
    second.rename(first)
    kept.rename(second)


def remove(snapshot: Path, _: random.Random) -> None:
    next((snapshot / "events").glob(f"{PLAIN}-*.parquet")).unlink()


def add(snapshot: Path, _: random.Random) -> None:
    shutil.copy(next((snapshot / "events").glob(f"{PLAIN}-*.parquet")), snapshot / "events" / "other.parquet")


def note(snapshot: Path, _: random.Random) -> None:
    (snapshot / "events" / "notes.txt").write_text("looked at")


def older_database(snapshot: Path, _: random.Random) -> None:
    (older,) = (path for path in snapshot.parent.iterdir() if path.name.endswith("Z-plain") or "-plain-" in path.name)
    shutil.copy(older / "snapshot.duckdb", snapshot / "snapshot.duckdb")


def older_snapshot(snapshot: Path, _: random.Random) -> None:
    link = snapshot.parent.parent / "current"
    (older,) = (path for path in snapshot.parent.iterdir() if "-plain-" in path.name)
    link.unlink()
    link.symlink_to(older.relative_to(link.parent))


# The change; what must be named; whether the snapshot alone tells, or only beside its warehouse.
CHANGES: dict[str, tuple[Change, str, bool]] = {
    "value": (parquet(PLAIN, "SELECT * REPLACE (CASE WHEN {row} THEN 'HACKED' ELSE user_id END AS user_id) FROM {file}"), "plain-", False),
    "value that a mart counts": (parquet(PLAIN, "SELECT * REPLACE (CASE WHEN {row} THEN 'other' ELSE event_type END AS event_type) FROM {file}"), "event_mix", True),
    "nested value": (parquet(PLAIN, "SELECT * REPLACE (CASE WHEN {row} THEN struct_update(device, os := 'none') ELSE device END AS device) FROM {file}"), "plain-", False),
    "every value": (parquet(FAULTED, "SELECT * REPLACE ('HACKED' AS user_id) FROM {file}"), "faulted-", False),
    "place": (parquet(PLAIN, "SELECT * REPLACE (CASE WHEN {row} THEN _offset + 1000000 ELSE _offset END AS _offset) FROM {file}"), "plain-", False),
    "key": (parquet(PLAIN, "SELECT * REPLACE (CASE WHEN {row} THEN 'zz'::BLOB ELSE _key END AS _key) FROM {file}"), "plain-", False),
    "time": (parquet(PLAIN, "SELECT * REPLACE (_timestamp + INTERVAL 1 HOUR AS _timestamp) FROM {file}"), "events_per_second", True),
    "run": (parquet(PLAIN, "SELECT * REPLACE ('other' AS _run_id) FROM {file}"), "plain-", True),
    "row deleted": (parquet(PLAIN, "FROM {file} WHERE NOT {row}"), "plain-", True),
    "row doubled": (parquet(PLAIN, "FROM {file} UNION ALL FROM {file} WHERE {row}"), "plain-", True),
    "row replaced by another": (parquet(PLAIN, "FROM {file} WHERE NOT {row} UNION ALL (FROM {file} WHERE NOT {row} ORDER BY _offset LIMIT 1)"), "plain-", True),
    "column dropped": (parquet(PLAIN, "SELECT * EXCLUDE (session_id) FROM {file}"), "session_id", False),
    "file emptied": (parquet(PLAIN, "FROM {file} LIMIT 0"), "plain-", True),
    "file cut": (cut, "plain-", True),
    "files exchanged": (exchange, "plain-", True),
    "file removed": (remove, "plain", True),
    "file added": (add, "other.parquet", True),
    "something else added": (note, "notes.txt", True),
    "mart's figure": (database("UPDATE event_mix SET events = events + 1 WHERE event_type = 'search'"), "event_mix", True),
    "mart's row deleted": (database("DELETE FROM partition_skew WHERE partition = 1"), "partition_skew", True),
    "mart's row invented": (database("INSERT INTO events_per_second FROM events_per_second LIMIT 1"), "events_per_second", True),
    "mart dropped": (database("DROP TABLE plays_by_genre_and_device"), "plays_by_genre_and_device", True),
    "mart not named": (database("DELETE FROM marts WHERE mart = 'event_mix'"), "event_mix", True),
    "mart of another": (database("UPDATE marts SET scenario = NULL WHERE mart = 'event_mix'"), "event_mix", True),
    "mart that is a view": (database("DROP TABLE event_mix; CREATE VIEW event_mix AS SELECT 'plain' AS run_id"), "event_mix", True),
    "verdict": (database("UPDATE runs SET verdict = 'FAILED' WHERE run_id = 'plain'"), "plain", True),
    "published": (database("UPDATE runs SET published = false WHERE run_id = 'plain'"), "plain", True),
    "loaded": (database("UPDATE runs SET loaded = loaded + 1 WHERE run_id = 'plain'"), "plain", True),
    "figure of a run": (database("UPDATE runs SET lost = lost + 1 WHERE run_id = 'plain'"), "plain", False),
    "sentence of a run": (database("UPDATE runs SET reason = 'All is well' WHERE run_id = 'plain'"), "plain", False),
    "run deleted": (database("DELETE FROM runs WHERE run_id = 'plain'"), "plain-", True),
    "run doubled": (database("INSERT INTO runs FROM runs WHERE run_id = 'plain'"), "plain", True),
    "rows of the publication": (database("UPDATE publication SET rows = rows + 1"), "publication", True),
    "runs of the publication": (database("UPDATE publication SET runs = 7"), "publication", True),
    "run of the publication": (database("UPDATE publication SET run_id = 'plain'"), "publication", True),
    "time of the publication": (database("UPDATE publication SET published_at = published_at + INTERVAL 1 HOUR"), "publication", True),
    "topic of the publication": (database("UPDATE publication SET topic = 'other'"), "topic other", False),
    "view that hides events": (database("CREATE OR REPLACE VIEW events AS FROM read_parquet(getvariable('streamproof_events')) WHERE user_id <> 'u1'"), "events", True),
    "table in place of the view": (
        database("DROP VIEW events; CREATE TABLE events AS SELECT 1 AS a"),
        "events",
        True,
    ),
    "foreign table": (database("CREATE TABLE notes (text VARCHAR)"), "notes", True),
    "foreign macro": (database("CREATE MACRO count_star() AS 7"), "count_star", True),
    "database of an older snapshot": (older_database, "publication", True),
    "older snapshot as the current one": (older_snapshot, "-plain-", False),
}  # fmt: skip


@pytest.mark.parametrize("place", range(EDIT_PLACES))
@pytest.mark.parametrize("name", [*CHANGES][:: min(EDIT_STRIDE, 5)])
def test_a_hand_edit_of_a_publication_is_found_and_named(own: Delivered, name: str, place: int) -> None:
    change, says, alone = CHANGES[name]
    change(own.snapshot, random.Random(place))
    for warehouse in [None, own.warehouse] if alone else [own.warehouse]:
        verdict, said = judged(own.published, warehouse)
        assert verdict == "FAILED", said
        assert says in said


REWRITTEN = ["value", "file cut", "file removed", *(["every value", "row deleted"] if DEEP else [])]


@pytest.mark.parametrize("name", REWRITTEN)
def test_a_file_that_was_changed_is_written_anew_by_the_next_publication(own: Delivered, name: str) -> None:
    change, _, _ = CHANGES[name]
    change(own.snapshot, random.Random(7))
    publish(own.warehouse, own.topic, FAULTED, own.publications)
    verdict, said = judged(own.published, own.warehouse)
    assert verdict == "PASSED", said


def judged(folder: Path, warehouse: Path | None) -> tuple[str, str]:
    """Return the verdict on a publication and what is said; an error is one, too."""
    try:
        found = verify_publication(folder, warehouse)
    except StreamproofError as error:
        return "FAILED", str(error)
    return found.verdict, str(found.document()["proofs"])
