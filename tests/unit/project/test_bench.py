"""What the benchmarks measure is what the command line asks for, else the environment, else everything."""

import pytest

from bench.__main__ import PARTS, options


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ONLY", "EVENTS", "MEMORY_SECONDS", "RATE_SECONDS"):
        monkeypatch.delenv(f"BENCH_{name}", raising=False)


def test_all_parts_are_measured_unless_some_are_named() -> None:
    assert options([]).parts == list(PARTS)
    assert options(["memory", "start"]).parts == ["memory", "start"]


def test_the_environment_counts_where_no_argument_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_ONLY", "start,memory")
    monkeypatch.setenv("BENCH_EVENTS", "1000")
    monkeypatch.setenv("BENCH_MEMORY_SECONDS", "0.5")
    asked = options([])
    assert (asked.parts, asked.events, asked.memory_seconds) == (["start", "memory"], 1000, 0.5)
    asked = options(["rate", "--events", "2000", "--memory-seconds", "7", "--rate-seconds", "9"])
    assert (asked.parts, asked.events, asked.memory_seconds, asked.rate_seconds) == (["rate"], 2000, 7.0, 9)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["memroy"], "there is no part memroy; there are start,"),
        (["--events", "0"], "--events: 0 is not above 0"),
        (["--events", "many"], "--events: invalid int value: 'many'"),
        (["--memory-seconds", "nan"], "nan is not above 0"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_starts(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        options(arguments)
    assert says in capsys.readouterr().err


def test_help_names_every_part_and_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        options(["--help"])
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in PARTS)
