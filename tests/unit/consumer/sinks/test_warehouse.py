"""The warehouse file: made whole or not at all, held by one process, and honest about what is wrong with it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import psutil
import pytest

from cluster.errors import (
    Interrupted,
    Misconfigured,
    StoreFailed,
    StoreFull,
    StoreOutOfMemory,
    WarehouseDamaged,
    WarehouseLocked,
)
from consumer.proof.run_scope import enter_run
from consumer.sinks.duckdb.batches import DuckDBBatches
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.errors import store_error
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from schemas.identity import MAX_SEQUENCE, MAX_SHARDS, event_id, run_prefix

TABLES = {
    "events",
    "event_columns",
    "event_layout",
    "schema_places",
    "quarantine",
    "load_offsets",
    "load_batches",
    "schema_versions",
    "manifests",
    "audits",
    "check_results",
    "publications",
    "meta",
}


def test_a_new_warehouse_has_every_table_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "w.duckdb"
    with open_warehouse(path, topic="t") as warehouse:
        assert {name for (name,) in warehouse.rows("SELECT table_name FROM duckdb_tables()")} >= TABLES
        assert warehouse.meta()["topic"] == "t"
    assert [entry.name for entry in path.parent.iterdir()] == ["w.duckdb"]


def test_the_macros_read_an_identity_as_the_python_code_does(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        for shard, sequence in ((0, 0), (17, 123_456_789), (MAX_SHARDS - 1, MAX_SEQUENCE)):
            text = event_id("a run", shard, sequence)
            for spelling in (text, text.upper()):
                read = warehouse.rows("SELECT event_run($1), event_shard($1), event_sequence($1)", [spelling])
                assert read == [(run_prefix("a run"), shard, sequence)]
        for foreign in ("", "x" * 36, "0190d3a5-0000-7000-8000-000000000001", text + " ", text[:-1]):
            assert warehouse.rows("SELECT event_run($1), event_shard($1), event_sequence($1)", [foreign]) == [
                (None,) * 3
            ]


def test_times_are_shown_in_utc_wherever_the_process_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        with open_warehouse(tmp_path / "w.duckdb") as warehouse:
            assert warehouse.rows("SELECT to_timestamp(0)::VARCHAR") == [("1970-01-01 00:00:00+00",)]
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_a_kill_while_the_file_is_made_leaves_none(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    script = "import os, sys; from pathlib import Path; import consumer.sinks.duckdb.warehouse as w;"
    script += "w.os.link = lambda *_: os._exit(9); w.open_warehouse(Path(sys.argv[1]))"
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 9
    assert not path.exists()
    open_warehouse(path).close()


def test_two_processes_that_make_the_same_file_share_it(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from consumer.sinks.duckdb.warehouse import open_warehouse;"
    script += "open_warehouse(Path(sys.argv[1]), topic='t', wait_s=30).close()"
    command = [sys.executable, "-c", script, str(tmp_path / "w.duckdb")]
    for process in [subprocess.Popen(command) for _ in range(3)]:
        assert process.wait(60) == 0


def test_the_own_process_cannot_open_it_twice(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "w.duckdb"), pytest.raises(WarehouseLocked, match="this process"):
        open_warehouse(tmp_path / "w.duckdb", wait_s=0)
    open_warehouse(tmp_path / "w.duckdb", wait_s=0).close()


def test_a_stop_ends_the_wait_for_the_lock(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with open_warehouse(tmp_path / "w.duckdb"), pytest.raises(Interrupted):
        open_warehouse(tmp_path / "w.duckdb", wait_s=60, stop=stop)


def test_a_failed_transaction_leaves_nothing_and_shows_its_own_error(tmp_path: Path) -> None:
    def change(warehouse: Warehouse) -> None:
        with warehouse.transaction() as connection:
            connection.execute("INSERT INTO meta VALUES ('a', 'b')")
            connection.execute("INSERT INTO no_such_table VALUES (1)")

    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        with pytest.raises(StoreFailed, match="no_such_table"):
            change(warehouse)
        assert "a" not in warehouse.meta()


def test_a_path_that_cannot_be_a_file_is_a_setting_to_correct(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="is a folder"):
        open_warehouse(tmp_path / "folder")
    with pytest.raises(Misconfigured, match="is a folder"):
        open_warehouse(Path())
    with pytest.raises(Misconfigured, match="is not a file"):
        open_warehouse(Path("/dev/null"))
    with pytest.raises(Misconfigured, match="cannot be written"):
        open_warehouse(tmp_path / "file" / "w.duckdb")
    with pytest.raises(Misconfigured, match="cannot be written"):
        open_warehouse(Path("/proc/w.duckdb"))
    with pytest.raises(Misconfigured, match="there is no warehouse"):
        open_warehouse(tmp_path / "w.duckdb", create=False)


def test_a_database_that_is_no_warehouse_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE theirs (n INTEGER)")
    with pytest.raises(WarehouseDamaged, match="not a warehouse"):
        open_warehouse(path)


def test_a_file_that_a_full_disk_left_empty_is_told_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    duckdb.connect(str(path)).close()
    with pytest.raises(WarehouseDamaged, match="could not be finished, on a full disk perhaps"):
        open_warehouse(path)


def test_a_disk_that_may_not_be_written_is_the_stores_failure_everywhere(tmp_path: Path) -> None:
    for number in (errno.EROFS, errno.EACCES):
        for error in (OSError(number, os.strerror(number)), duckdb.IOException(f"Cannot open: {os.strerror(number)}")):
            meant = store_error(error, tmp_path / "w.duckdb")
            assert (type(meant), meant.exit_code) == (StoreFailed, 74)


def test_a_full_disk_is_told_without_words_that_only_suit_a_load(tmp_path: Path) -> None:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        meant = store_error(duckdb.IOException(f"Could not write: {os.strerror(number)}"), tmp_path / "w.duckdb")
        assert (type(meant), "batch" in str(meant)) == (StoreFull, False)


@pytest.mark.parametrize(
    "said",
    [
        "Out of Memory Error: could not allocate block of size 256.0 KiB (381.2 MiB/381.4 MiB used)",
        "FATAL Error: the autocheckpoint failed. failed to pin block of size 928.0 KiB (381.4 MiB/381.4 MiB used)",
    ],
)
def test_too_little_memory_is_told_with_what_can_help(tmp_path: Path, said: str) -> None:
    meant = store_error(duckdb.Error(said), tmp_path / "w.duckdb")
    assert (type(meant), meant.exit_code) == (StoreOutOfMemory, 74)
    assert "smaller --batch-rows" in meant.hint
    assert "same command" not in str(meant)


def test_too_little_room_to_spill_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with open_warehouse(path) as warehouse:
        warehouse.rows("SET memory_limit = '20MB'")
        warehouse.rows("SET max_temp_directory_size = '1MB'")
        with pytest.raises(StoreOutOfMemory, match="does not fit into the room beside the warehouse"):
            warehouse.rows("SELECT count(DISTINCT md5(n::VARCHAR)) FROM range(10_000_000) AS numbers(n)")


def test_what_killed_processes_left_beside_a_warehouse_is_removed_by_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "w[1].duckdb"
    open_warehouse(path).close()
    stray, other = tmp_path / ".w[1].duckdb.abcd_123", tmp_path / ".w[1].duckdb.of-somebody"
    spilled = tmp_path / "w[1].duckdb.tmp"
    for folder in (stray, other, spilled):
        folder.mkdir()
        (folder / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"x")
    open_warehouse(path).close()
    assert [folder.exists() for folder in (stray, other, spilled)] == [False, True, False]


def test_a_session_has_the_memory_and_the_threads_that_its_purpose_states(tmp_path: Path) -> None:
    settings = (
        "SELECT current_setting('memory_limit'), current_setting('threads'), current_setting('TimeZone'), "
        "current_setting('preserve_insertion_order'), current_setting('max_temp_directory_size')"
    )
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        DuckDBBatches(warehouse, EventColumns(warehouse), "load")
        assert warehouse.rows(settings) == [("381.4 MiB", 1, "UTC", False, "2.0 GiB")]
        enter_run(warehouse, None)
        assert warehouse.rows(settings) == [("953.6 MiB", psutil.cpu_count(), "UTC", False, "2.0 GiB")]


def test_large_values_are_stored_in_row_groups_of_their_own(tmp_path: Path) -> None:
    """One row group of them would be read and written as vectors of 2,048 values, each whole in memory."""
    path, groups = tmp_path / "w.duckdb", "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('events')"
    size = "SELECT current_setting('max_vacuum_tasks')"
    with open_warehouse(path) as warehouse:
        assert warehouse.rows(size) != [(0,)]
        warehouse.rows(
            "INSERT INTO load_batches SELECT 1, 'x', now(), 0, 0, 10, 10, 0, 0, 0, 0, [], 0, 10 * 20000, 0, 0, 0"
        )
    with open_warehouse(path) as warehouse:
        assert warehouse.rows(size) == [(0,)]
        for number in range(4):
            warehouse.rows("INSERT INTO events (_offset) VALUES (?)", [number])
            warehouse.checkpoint()
        assert warehouse.rows(groups) == [(4,)]


def test_a_log_without_its_database_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "w.duckdb.wal").write_bytes(b"left behind")
    with pytest.raises(WarehouseDamaged, match="write-ahead log without its database"):
        open_warehouse(tmp_path / "w.duckdb")


def test_words_in_the_path_do_not_change_what_an_error_means(tmp_path: Path) -> None:
    path = tmp_path / "Permission denied, No space left on device.duckdb"
    meant = store_error(duckdb.IOException(f'IO Error: Could not read from file "{path}": Input/output error'), path)
    assert type(meant) is WarehouseDamaged
    assert type(store_error(OSError(28, os.strerror(28)), path)) is StoreFull
