"""A full disk and a damaged file: an exit code and a sentence, never a wrong row."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.errors import WarehouseDamaged
from tests.kit.depth import FULL_DISKS_KB

pytestmark = pytest.mark.faults

SEED = 7


class Disk:
    """A folder with little space. A tmpfs where this user may mount one; else a limit on the size of files."""

    def __init__(self, folder: Path, size: str = "6m") -> None:
        self.folder = folder
        self.limit_bytes: int | None = 6 * 1024 * 1024
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        self.mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0

    def grow(self) -> None:
        """Make room."""
        self.limit_bytes = None
        if self.mounted:
            subprocess.run(["mount", "-o", "remount,size=300m", str(self.folder)], check=True)

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command that meets the limit."""
        limit = None if self.mounted else self.limit_bytes

        def restrict() -> None:
            if limit is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, preexec_fn=restrict)


@contextmanager
def _small_disk(folder: Path, size: str = "6m") -> Iterator[Disk]:
    disk = Disk(folder, size)
    try:
        yield disk
    finally:
        if disk.mounted:
            subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with _small_disk(folder) as disk:
        yield disk


def test_a_full_disk_ends_with_74_and_with_more_space_the_same_command_goes_on(rig: Any, small_disk: Disk) -> None:
    rig.warehouse = small_disk.folder / "full.duckdb"
    rig.create()
    wide = {"type": "record", "name": "Wide", "fields": [{"name": "n", "type": "int"}, {"name": "b", "type": "bytes"}]}
    noise = random.Random(SEED)
    rig.produce(rig.encode(wide, [{"n": n, "b": noise.randbytes(2000)} for n in range(6000)]))
    done = small_disk.run(rig.command("--batch-rows", "300"))
    assert done.returncode == 74, done.stderr
    assert "no space left for the warehouse" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ROLLBACK" not in done.stderr
    again = small_disk.run(rig.command("--batch-rows", "300"))
    assert again.returncode == 74, again.stderr
    small_disk.grow()
    ((position, rows),) = rig.rows("SELECT (SELECT next_offset FROM load_offsets), (SELECT count(*) FROM events)")
    assert position == rows
    assert 0 < position < 6000
    finished = small_disk.run(rig.command())
    assert finished.returncode == 0, finished.stderr
    rig.prove()
    assert rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(6000, 6000)]


@pytest.mark.parametrize("size_kb", FULL_DISKS_KB)
def test_a_warehouse_that_is_made_on_a_full_disk_is_a_complete_file_or_none(tmp_path: Path, size_kb: int) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with _small_disk(folder, f"{size_kb}k") as disk:
        path = folder / "new.duckdb"
        script = "import sys; from pathlib import Path; from consumer.sinks.duckdb.warehouse import open_warehouse;"
        script += "open_warehouse(Path(sys.argv[1]), topic='t').close()"
        disk.limit_bytes = size_kb * 1024
        made = disk.run([sys.executable, "-c", script, str(path)])
        assert made.returncode == 1, made.stderr
        assert "cluster.errors.StoreFull: no space left for the warehouse" in made.stderr
        assert list(folder.iterdir()) == []
        disk.grow()
        assert disk.run([sys.executable, "-c", script, str(path)]).returncode == 0
        assert path.exists()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "not a database": lambda path: path.write_bytes(b"hello" * 2000),
    "empty": lambda path: path.write_bytes(b""),
    "header overwritten": lambda path: _overwrite(path, 8, b"\x99" * 32),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
}


def _overwrite(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused(rig: Any, damage: str) -> None:
    rig.create()
    rig.produce(rig.values(range(5000)))
    rig.load()
    DAMAGE[damage](rig.warehouse)
    with pytest.raises(WarehouseDamaged, match="not a readable DuckDB database"):
        rig.load()
    assert rig.run().returncode == 74


def test_rows_changed_by_hand_are_found_at_the_next_start(rig: Any) -> None:
    rig.create(partitions=2)
    rig.produce([*rig.values(range(100)), b"junk"])
    rig.load(batch_rows=20)
    changes = {
        "DELETE FROM events WHERE n = 50": "99 events, its ledger says 100",
        "UPDATE events SET _crc32 = _crc32 + 1 WHERE n = 7": "has a checksum of",
        "UPDATE load_offsets SET next_offset = 90 WHERE partition = 0": "goes on at offset 90, its ledger ends at 101",
        "DELETE FROM quarantine": "0 quarantined records, its ledger says 1",
        "DELETE FROM load_batches WHERE start_offset = 40": "1 gaps or overlaps",
        "DELETE FROM load_offsets WHERE partition = 0": "has rows and no position",
        "UPDATE events SET _offset = 5000 WHERE n = 99": "outside the offsets of its ledger",
        "INSERT INTO events FROM events LIMIT 1": "101 events, its ledger says 100",
    }
    whole = rig.warehouse.read_bytes()
    for change, complaint in changes.items():
        rig.rows(change)
        with pytest.raises(WarehouseDamaged) as found:
            rig.load()
        assert complaint in found.value.message, change
        rig.warehouse.write_bytes(whole)
    assert rig.load().rows == 0


def test_a_damaged_log_never_leads_to_a_wrong_row(rig: Any) -> None:
    """The log of a killed loader, cut or with one byte flipped: refused, or fewer rows with fewer offsets."""
    rig.create()
    rig.produce(rig.values(range(3000)))
    loader = "import os, sys, threading; from pathlib import Path; from cluster.connection import Connection;"
    loader += "from consumer.load.load import load;"
    loader += "c = Connection.of({'bootstrap_servers': sys.argv[1]}, {'url': sys.argv[2]});"
    loader += "load(c, sys.argv[3], Path(sys.argv[4]), stop=threading.Event(), batch_rows=300,"
    loader += " progress=lambda p: p.rows >= 2400 and os._exit(9))"
    kafka, registry = rig.connection.kafka.bootstrap_servers, rig.connection.registry.url
    command = [rig.command()[0], "-c", loader, kafka, registry, rig.topic, str(rig.warehouse)]
    assert subprocess.run(command, check=False, timeout=60).returncode == 9
    log = rig.warehouse.with_name(rig.warehouse.name + ".wal")
    whole, whole_log = rig.warehouse.read_bytes(), log.read_bytes()
    chance = random.Random(SEED)
    outcomes = {"refused": 0, "loaded": 0}
    for number in range(12):
        at = chance.randrange(len(whole_log))
        flipped = bytes([whole_log[at] ^ 0xFF])
        rig.warehouse.write_bytes(whole)
        log.write_bytes(whole_log[:at] if number % 2 else whole_log[:at] + flipped + whole_log[at + 1 :])
        try:
            rig.load()
        except WarehouseDamaged:
            outcomes["refused"] += 1
        else:
            rig.prove()
            assert rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(3000, 3000)]
            outcomes["loaded"] += 1
    print(outcomes)
    assert all(outcomes.values()), outcomes


def test_a_checkpoint_that_fails_ends_the_process_and_keeps_everything(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(2000)))
    loader = (
        "import sys; from consumer.sinks.duckdb.settings import Purpose; apply = Purpose.apply;"
        "Purpose.apply = lambda self, connection, path: (apply(self, connection, path), connection.execute("
        "\"SET debug_checkpoint_abort = 'before_header'\"));"
    )
    loader += "from streamproof.cli import run; sys.exit(run(sys.argv[1:]))"
    arguments = rig.command()[3:]
    kafka, registry = rig.connection.kafka.bootstrap_servers, rig.connection.registry.url
    command = [rig.command()[0], "-c", loader, *arguments, "--bootstrap-servers", kafka, "--registry-url", registry]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 74, done.stderr
    assert "Traceback" not in done.stderr
    log = rig.warehouse.with_name(rig.warehouse.name + ".wal")
    assert log.exists()
    with duckdb.connect(str(rig.warehouse)) as connection:
        connection.execute("CHECKPOINT")
    rig.load()
    rig.prove()
    assert rig.rows("SELECT count(*) FROM events") == [(2000,)]
