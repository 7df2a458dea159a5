"""The files to try a replay with are believable, whatever their size, and the same each time."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pytest

from cluster.errors import Interrupted, Misconfigured
from producer.samples import Sizes, write_samples
from producer.samples import files as files_module
from producer.samples.files import BEGIN_MS
from tests.kit import ROOT
from tests.kit.commands import streamproof

RULES = (ROOT / "producer" / "samples" / "rules.sql").read_text()
COMMITTED = ROOT / "samples" / "click_stream"


def opened(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE clicks AS FROM read_csv('{folder}/clicks_hour_*.csv', filename = true)")
    connection.execute(f"CREATE TABLE articles AS FROM read_csv('{folder}/articles_metadata.csv')")
    return connection


def broken(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    found = connection.execute(RULES, {"begin_ms": BEGIN_MS}).fetchall()
    assert len(found) >= 12
    return {rule: violations for rule, _, violations in found if violations}


@pytest.mark.parametrize(
    "sizes", [Sizes(clicks=60_000, articles=5_000, hours=49, seed=3), Sizes(1, 1, 1), Sizes(3, 2, 9)]
)
def test_no_row_breaks_a_rule_and_there_are_as_many_as_asked_for(tmp_path, sizes):
    written = write_samples(tmp_path, sizes)
    connection = opened(tmp_path)
    assert broken(connection) == {}
    assert connection.execute("SELECT count(*) FROM clicks").fetchone() == (sizes.clicks,)
    assert connection.execute("SELECT count(*) FROM articles").fetchone() == (sizes.articles,)
    assert len(list(tmp_path.iterdir())) == written.files + 1 == sizes.hours + 1


def test_hours_that_are_made_in_parts_keep_the_rules(tmp_path, monkeypatch):
    monkeypatch.setattr(files_module, "_PART_CLICKS", 700)
    write_samples(tmp_path, Sizes(clicks=20_000, articles=300, hours=4, seed=5))
    assert broken(opened(tmp_path)) == {}


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        ("UPDATE clicks SET session_size = 99 WHERE rowid = 7", "size"),
        ("UPDATE clicks SET click_timestamp = click_timestamp - 9000000 WHERE rowid = 7", "inside"),
        ("UPDATE clicks SET click_os = 99 WHERE rowid = 7", "fits"),
        ("UPDATE articles SET created_at_ts = 9999999999999", "there"),
        ("DELETE FROM clicks WHERE rowid = 7", "size"),
    ],
)
def test_a_damaged_file_breaks_a_rule(damage, rule):
    connection = opened(COMMITTED)
    connection.execute(damage)
    assert rule in broken(connection)


def test_popularity_is_skewed_and_fades_and_nights_are_quiet(tmp_path):
    write_samples(tmp_path, Sizes(clicks=60_000, articles=5_000, hours=48, seed=2))
    connection = opened(tmp_path)
    top, young, night = connection.execute(
        """
        SELECT
            (SELECT sum(n) FROM (SELECT count(*) AS n FROM clicks GROUP BY click_article_id ORDER BY n DESC LIMIT 500)),
            (SELECT count(*) FROM clicks JOIN articles ON article_id = click_article_id
             WHERE click_timestamp - created_at_ts < 86400000),
            (SELECT count(*) FROM clicks WHERE (session_start // 3600000 - 3) % 24 BETWEEN 2 AND 4)
        """
    ).fetchone() or (0, 0, 0)
    assert top > 0.7 * 60_000  # a tenth of the articles
    assert young > 0.5 * 60_000
    assert night < 60_000 / 8 / 3  # three of 24 hours


def test_the_committed_files_are_what_the_command_makes(tmp_path):
    made = streamproof("samples", str(tmp_path / "made"))
    assert made.exit_code == 0, made.text
    written, kept = (
        {path.name: path.read_bytes() for path in folder.iterdir()} for folder in (tmp_path / "made", COMMITTED)
    )
    kept.pop("README.md", None)
    assert written == kept
    assert sum(map(len, kept.values())) < 500_000


def test_files_of_before_are_not_mixed_with_new_ones(tmp_path):
    write_samples(tmp_path, Sizes(clicks=10, articles=3, hours=3))
    with pytest.raises(Misconfigured, match="4 such files already"):
        write_samples(tmp_path, Sizes(clicks=10, articles=3, hours=2))
    write_samples(tmp_path, Sizes(clicks=10, articles=3, hours=2), replace=True)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_command_makes_as_much_as_is_asked_for_and_replaces_only_if_told(tmp_path):
    asked = ("samples", tmp_path, "--clicks", 100, "--articles", 9, "--hours", 2, "--seed", 4, "--json")
    made = streamproof(*asked)
    assert made.exit_code == 0, made.text
    assert [made.document[name] for name in ("clicks", "articles", "files", "seed")] == [100, 9, 2, 4]
    assert streamproof(*asked).exit_code == 78
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert streamproof(*asked, "--replace").exit_code == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_stop_leaves_no_half_file(tmp_path):
    stop: threading.Event = threading.Event()

    def look(clicks: int) -> None:
        if clicks > 300:
            stop.set()

    with pytest.raises(Interrupted):
        write_samples(tmp_path, Sizes(clicks=1000, hours=9), stop=stop, progress=look)
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".csv")] == []


def test_what_cannot_be_made_is_told_with_all_faults(tmp_path):
    with pytest.raises(Misconfigured, match=r"clicks is 0.*hours is 9,999"):
        Sizes(clicks=0, hours=9999)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(Misconfigured, match="no folder"):
        write_samples(file, Sizes())
