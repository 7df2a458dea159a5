"""The `produce` and `preview` commands at the edge: flags, signals, progress."""

from __future__ import annotations

import io
import json
import os
import signal

import pytest
from rich.console import Console

from cluster.errors import DependencyDown
from producer import ProduceRequest, Progress, workers
from producer.standing import Standing
from streamproof.cli import run
from streamproof.signals import stop_on_signals
from streamproof.views import live
from streamproof.views import produce_progress as view
from streamproof.views.produce_progress import shown_progress


def seen(shard: int, acknowledged: int, elapsed_s: float = 1.0) -> Progress:
    return Progress(
        shard=shard,
        elapsed_s=elapsed_s,
        answered_s=elapsed_s,
        generated=acknowledged,
        acknowledged=acknowledged,
        asked=1000.0 * elapsed_s,
        target=1000,
        seconds_left=5.0,
    )


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--rate", "-3", "--events", "1"], "rate"),
        (["--events", "-1"], "events"),
        (["--rate", "1e30", "--events", "1"], "rate"),
        (["--seconds", "0"], "seconds"),
        (["--seconds", "1e300"], "seconds"),
        *((["--delivery-timeout", value, "--events", "1"], "delivery timeout") for value in ("0.0001", "1e30", "inf")),
        (["--shards", "0", "--events", "1"], "shards"),
        (["--shards", "2", "--shard", "2", "--events", "1"], "shard"),
        ([], "--events, --seconds, a --shape that ends"),
        (["--events", "1", "--ratee", "2"], "ratee"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_flag_out_of_range_is_a_configuration_error_that_names_it(arguments, word, capsys):
    nowhere = ["--bootstrap-servers", "127.0.0.1:9", "--registry-url", "http://127.0.0.1:9"]
    assert run(["produce", "customer_events", "--topic", "t", "--json", *nowhere, *arguments]) == 78
    error = json.loads(capsys.readouterr().out)["error"]
    assert word in error["message"]


def test_without_an_address_the_error_says_what_to_start(capsys):
    assert run(["produce", "customer_events", "--topic", "t", "--events", "1"]) == 78
    assert "streamproof up" in capsys.readouterr().err


def test_preview_prints_one_document(capsys):
    assert run(["preview", "customer_events", "--events", "500", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["events"] == 500
    assert len(document["partition_shares"]) == 3


def test_preview_shows_samples_and_figures(capsys):
    assert run(["preview", "customer_events", "--events", "500"]) == 0
    shown = capsys.readouterr().out
    assert "search_history" in shown
    assert "share of partition 2" in shown


@pytest.mark.parametrize(
    ("flags", "told"),
    [(["--shape", "rmp(1,2,3s)"], "the shape is not valid: unknown shape 'rmp'"), (["--rate", "-1"], "rate is -1.0")],
)
def test_a_preview_tells_of_its_own_flags(flags, told, capsys):
    assert run(["preview", "clickstream", "--json", *flags]) == 78
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["message"].startswith(told)
    assert "streamproof preview --help" in error["hint"]


@pytest.mark.parametrize(
    ("failed", "more"), [(1, ""), (2, " (and 1 more shard did not finish)"), (3, " (and 2 more shards did not finish)")]
)
def test_the_error_that_decides_counts_the_others(failed, more):
    assert workers._worst([DependencyDown("gone") for _ in range(failed)]).message == f"gone{more}"


def test_a_mix_of_many_values_is_shown_by_its_largest(tmp_path, capsys):
    (tmp_path / "v.avsc").write_text('{"type":"record","name":"V","fields":[{"name":"x","type":"string"}]}')
    weights = "{" + ", ".join(f"v{n}: {100 if n < 10 else 1}" for n in range(60)) + "}"
    (tmp_path / "v.yaml").write_text(f"schema: v.avsc\nfields: {{x: {{choice: {weights}}}}}\n")
    assert run(["preview", str(tmp_path / "v.yaml")]) == 0
    shown = capsys.readouterr().out
    assert shown.count("share of v") == 10
    assert "share of 50 others" in shown
    assert run(["preview", str(tmp_path / "v.yaml"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["mix"]) == 60


def test_an_unknown_scenario_is_named(capsys):
    assert run(["preview", "customer_event"]) == 78
    assert "customer_events" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_flag_and_handlers_are_put_back(number):
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(2)
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_interrupts_at_once():
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(2)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_without_a_terminal_the_sum_over_shards_is_logged_once_a_second(monkeypatch):
    lines: list[dict[str, object]] = []
    monkeypatch.setattr(
        view.log, "info", lambda event, **fields: lines.append(fields | {"event": event}), raising=False
    )
    now = [100.0]
    write = view.log_each_second(Standing([5000, 5000]), lambda: now[0])
    for second in (1, 2, 3):
        for shard in (0, 1):
            write(seen(shard, 1000 * second, second))
        now[0] += 0.999
    assert [line["acknowledged"] for line in lines] == [5000]
    now[0] += 1
    for shard in (0, 1):
        write(seen(shard, 4000, 4))
    now[0] += 1
    write(seen(1, 5000, 5))
    assert len(lines) == 3
    assert (lines[2]["rate"], lines[2]["asked"], lines[2]["target"]) == (2000.0, 2000.0, 10_000)
    assert lines[2]["says"] == "9,000 of 10,000 acknowledged, 2,000/s as asked, on schedule"


def test_the_live_line_has_rate_totals_and_time_left():
    standing = Standing([1000, 1000])
    for second in (1, 2, 3):
        standing.add(seen(0, 1000 * second, second))
        standing.add(seen(1, 500 * second, second))
    assert view.figures(standing.live()) == "1,500 of 2,000/s  4,500 acknowledged  5 s left"


@pytest.mark.parametrize(
    ("columns", "shown"),
    [(80, "producing to a_topic ━"), (40, "100% 1,000/s  2,000,000  5 s left")],
)
def test_the_live_line_fits_the_terminal(columns, shown, monkeypatch):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=columns, highlight=False, color_system=None)
    monkeypatch.setattr(view, "stderr", console)
    monkeypatch.setattr(live, "stderr", console)
    request = ProduceRequest(topic="a_topic", run_id="r [1]", events=2_000_000)
    with shown_progress(request, (0,)) as progress:
        progress(seen(0, 1_999_000, 1))
        progress(seen(0, 2_000_000, 2))
    assert screen.getvalue().splitlines()[0] == "run r [1] on a_topic"
    assert shown in screen.getvalue()
    assert "…" not in screen.getvalue()
