"""What a person sees of the stack: the start as it goes, and the sizes of things in words."""

import io
import json
import os
from pathlib import Path

import pytest
import structlog
from rich.console import Console

from cluster.local import Endpoint
from stack.record import Identity, ProcessRecord, Record
from stack.services.service import AliveProbe, HttpProbe
from streamproof.cli import run
from streamproof.views import start as view
from streamproof.views.stack import duration


def a_record(stage: str) -> Record:
    """A stack with one service."""
    kafka = ProcessRecord.model_validate(
        {
            "name": "kafka",
            "version": "4.3.1",
            "address": "127.0.0.1:1",
            "log": Path("kafka.log"),
            "ready": AliveProbe(),
            "stop_grace_s": 1,
            "stage": stage,
        }
    )
    return Record(
        supervisor=Identity(pid=1, started_at="x"),
        started="2026-01-01T00:00:00+00:00",
        endpoints={"kafka": Endpoint("127.0.0.1:1", "Kafka")},
        processes=[kafka],
    )


def test_a_terminal_gets_a_line_for_each_service(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(view, "stderr", Console(file=screen, force_terminal=True, highlight=False, width=100))
    with view.start_view() as watcher:
        with watcher.fetching("kafka.jar", 10_000_000) as arrived:
            arrived(4_000_000)
        watcher.say("waiting for [somebody]")
        watcher.look(a_record("starting"))
        watcher.look(a_record("ready"))
    shown = screen.getvalue()
    for text in ("4 of 10 MB", "waiting for [somebody]", "kafka 4.3.1: ready"):
        assert text in shown


def test_elsewhere_each_change_is_one_log_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(view, "stderr", Console(file=io.StringIO(), force_terminal=False))
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    try:
        with view.start_view() as watcher:
            for stage in ("starting", "starting", "ready", "ready"):
                watcher.look(a_record(stage))
    finally:
        structlog.reset_defaults()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["starting", "ready"]
    assert all(line["service"] == "kafka" for line in lines)


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, ""), (0.4, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3 * 3600 + 120, "3 h 2 min")]
)
def test_durations_read_as_people_say_them(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_up_does_not_call_a_stack_usable_that_gives_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Identity.of(os.getpid())
    assert own is not None
    record = a_record("ready").model_copy(update={"supervisor": own})
    silent = record.processes[0].model_copy(update={"process": own, "ready": HttpProbe(url="http://127.0.0.1:1/")})
    record.model_copy(update={"processes": [silent]}).write(tmp_path)
    monkeypatch.setenv("STREAMPROOF_STATE_DIR", str(tmp_path))
    assert run(["up", "--json"]) == 69
    document = json.loads(capsys.readouterr().out)
    assert document["healthy"] is False
    assert "kafka: no answer" in document["error"]["message"]
    assert run(["up"]) == 69
    assert "no answer" in capsys.readouterr().out
