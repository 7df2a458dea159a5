"""What a worker writes to standard error reaches the parent's: a live display is not broken by it."""

from __future__ import annotations

import io
import multiprocessing
import threading

from cluster.machine.child import TellsParent
from producer import ProduceRequest, worker
from producer.worker import Worker


def test_whole_lines_of_a_worker_are_written_by_the_parent(monkeypatch):
    here, there = multiprocessing.Pipe()
    told = TellsParent(there, threading.Lock(), io.StringIO())
    print("shard continues", file=told)
    told.write("half a ")
    told.write("line\nand another\nrest")
    listening = Worker.__new__(Worker)
    listening.pipe = here
    seen = io.StringIO()
    monkeypatch.setattr("sys.stderr", seen)
    while here.poll():
        listening.listen(None)
    assert seen.getvalue() == "shard continues\nhalf a line\nand another\n"


def test_what_the_parent_no_longer_hears_is_written_all_the_same():
    here, there = multiprocessing.Pipe()
    here.close()
    before = io.StringIO()
    TellsParent(there, threading.Lock(), before).write("still here\n")
    assert before.getvalue() == "still here\n"


def break_down() -> None:
    """Put a bug into the process that calls it."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken on purpose")

    vars(worker)["outcome_of"] = broken


def test_a_bug_in_a_worker_is_told_once(monkeypatch):
    seen = io.StringIO()
    monkeypatch.setattr("sys.stderr", seen)
    broken = Worker(None, ProduceRequest(topic="t", run_id="r", events=1).plan, break_down)
    broken.stop()  # one that was asked to stop is not started again
    while broken.outcome is None:
        broken.listen(None)
    assert seen.getvalue().count("RuntimeError: broken on purpose") == 1
    assert "it ended with exit code 1" in str(broken.outcome.error)
