"""What comes from outside is shown on a terminal, and not obeyed."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
import structlog
from rich.live import Live
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from cluster.errors import DataRejected
from cluster.text.visible import visible
from consumer.sinks.held import QuarantineClass
from streamproof import cli, console, logs
from streamproof.commands import quarantine
from streamproof.console import Output, VisibleConsole, plain, print_error

EVIL = "\x1b]0;owned\x07\x1b[31m[bold]run[/bold]\x9b2J\u202eline\r"
SHOWN = "\\u001b]0;owned\\u0007\\u001b[31m[bold]run[/bold]\\u009b2J\\u202eline\u240d"
# Rich's own colours and cursor; nothing else may begin with an escape.
OWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def screen(**more: object) -> VisibleConsole:
    return VisibleConsole(file=io.StringIO(), force_terminal=True, width=300, highlight=False, **more)


def written(terminal: VisibleConsole) -> str:
    assert isinstance(terminal.file, io.StringIO)
    return terminal.file.getvalue()


def assert_harmless(text: str) -> None:
    left = OWN.sub("", text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", left.replace("\r", "")), repr(left)
    assert "\x1b[31m[bold]" not in text
    assert "\\u001b]0;owned" in left


def in_table(terminal: VisibleConsole) -> None:
    table = Table("run")
    table.add_row(plain(EVIL))
    terminal.print(table)


PRINTS: dict[str, Callable[[VisibleConsole], object]] = {
    "plain": lambda terminal: terminal.print(plain(EVIL)),
    "no markup": lambda terminal: terminal.print(EVIL, markup=False, soft_wrap=True),
    "assembled": lambda terminal: terminal.print(Text.assemble("run ", (EVIL, "bold"))),
    "table": in_table,
}


@pytest.mark.parametrize("name", PRINTS)
def test_a_terminal_is_shown_control_characters_and_is_not_sent_them(name):
    terminal = screen()
    PRINTS[name](terminal)
    assert_harmless(written(terminal))
    if name != "assembled":  # of these rich leaves out the bell
        assert SHOWN in OWN.sub("", written(terminal))


def test_a_live_display_shows_them_too_and_keeps_its_own_control():
    terminal = screen()
    with Live(Text(EVIL), console=terminal), Progress(console=terminal, disable=True):
        terminal.print(Text(EVIL))
    assert_harmless(written(terminal))
    assert "\x1b[?25l" in written(terminal)  # the cursor, hidden by rich itself


def test_lines_and_colours_of_ours_stay():
    terminal = screen()
    terminal.print("[red]one[/]\ntwo")
    assert OWN.sub("", written(terminal)) == "one\ntwo\n"
    assert "\x1b[31mone" in written(terminal)


def test_what_is_plain_is_no_markup(monkeypatch, capsys):
    found = [QuarantineClass("decode", EVIL, 3, [1], EVIL, [{"partition": 0, "offset": 1}])]
    Output(False).show(quarantine._table(found))
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "[bold]" in said


def test_errors_and_warnings_show_what_they_name(capsys):
    print_error(DataRejected(f"run {EVIL} failed", where=EVIL, hint=EVIL), as_json=False)
    console.warn(EVIL)
    said = capsys.readouterr().err
    assert said.count(SHOWN) == 4
    assert "\x1b" not in said


def test_a_bugs_trace_shows_them_too(monkeypatch, capsys):
    def fail(_: list[str]) -> int:
        raise ValueError(EVIL)

    monkeypatch.setattr(cli, "_invoke", fail)
    assert cli.run(["status"]) == 70
    said = capsys.readouterr().err
    assert "owned\\u0007" in said
    assert "\x1b" not in said


def test_lines_of_the_log_show_them(monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    before = structlog.get_config()
    try:
        logs.configure_logs()
        structlog.get_logger().info("run begins", run_id=EVIL)
    finally:
        structlog.configure(**before)
    assert "owned\\u0007" in terminal.getvalue()
    assert "\x1b]0" not in terminal.getvalue()


@pytest.mark.parametrize("text", ["", "plain", "naïve 日本", "a/b.c-d_e"])
def test_what_can_be_seen_stays_as_it_is(text):
    assert visible(text) == text


def test_what_cannot_be_seen_is_shown_by_its_code_or_symbol():
    assert visible("\x1b\x7f\x85\u200b\t\n") == "\\u001b\\u007f\\u0085\\u200b\u2409\u2424"
    assert visible("a\nb", keep="\n") == "a\nb"
