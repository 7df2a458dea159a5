"""A dependency that does not answer is told of within ten seconds, and when it answers again."""

from __future__ import annotations

import time

import pytest

from cluster import silence
from cluster.silence import Silence, telling_if_silent


def test_silence_is_told_with_what_waits_and_until_when_and_again_at_its_end():
    said: list[str] = []
    watch = Silence("Kafka", until_s=30, tell=said.append)
    for tenth in range(1, 200):
        now = tenth / 10
        watch.look(now, 100 + tenth if now <= 2 else 120, 0 if now <= 2 else 5000)
        if now < 7:
            assert not said
    assert said == ["Kafka has not answered for 5 s: 5,000 events wait, they are given up in 25 s"]
    watch.look(29.5, 121, 4999)
    assert said[1:] == ["Kafka answers again, after 27 s"]


def test_silence_is_told_again_while_it_lasts():
    said: list[str] = []
    watch = Silence("Kafka", until_s=30, tell=said.append)
    for second in range(34):
        watch.look(float(second), 0, 1)
    assert [line.split(":")[0] for line in said] == [f"Kafka has not answered for {seconds} s" for seconds in (5, 20)]
    watch.look(36.0, 0, 1)
    assert "they are being given up" in said[-1]


def test_what_is_given_up_soon_is_told_of_before():
    said: list[str] = []
    watch = Silence("Kafka", until_s=4, tell=said.append)
    for tenth in range(25):
        watch.look(tenth / 10, 0, 9)
    assert said == ["Kafka has not answered for 2 s: 9 events wait, they are given up in 2 s"]


def test_nothing_that_waits_is_no_silence_and_what_is_given_up_is_no_answer():
    said: list[str] = []
    watch = Silence("Kafka", until_s=30, tell=said.append)
    for second in range(60):
        watch.look(float(second), 7, 0)
    assert not said
    for second in range(60, 70):
        watch.look(float(second), 7, 3)
    watch.look(91.0, 7, 0)
    assert len(said) == 1
    assert "answers again" not in said[0]


def test_a_call_that_takes_long_is_told_once_and_at_its_end(monkeypatch):
    monkeypatch.setattr(silence, "SILENT_S", 0.05)
    said: list[str] = []
    with telling_if_silent("The registry", "looking the schema up", until_s=10, tell=said.append):
        deadline = time.monotonic() + 5
        while not said and time.monotonic() < deadline:
            time.sleep(0.01)
    assert said == [
        "The registry has not answered for 0 s, looking the schema up; given up after 10 s",
        "The registry answers again",
    ]


def test_a_call_that_fails_is_not_called_an_answer(monkeypatch):
    monkeypatch.setattr(silence, "SILENT_S", 0.01)
    said: list[str] = []

    def ask() -> None:
        with telling_if_silent("Kafka", "asking", until_s=1, tell=said.append):
            deadline = time.monotonic() + 5
            while not said and time.monotonic() < deadline:
                time.sleep(0.01)
            raise OSError("away")

    with pytest.raises(OSError, match="away"):
        ask()
    assert len(said) == 1
