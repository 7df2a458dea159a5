"""Scenarios of a schema alone: all values are those that nobody asked for."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from producer.scenarios import Asked, find_scenario

EVENTS = 1000


@pytest.fixture
def draw(tmp_path):
    def draw(record, *, seed=1, rules="", number=0, events=EVENTS):
        (tmp_path / "r.avsc").write_text(json.dumps(record))
        path = tmp_path / f"{record['name']}.yaml"
        path.write_text(f"schema: r.avsc\n{rules}")
        scenario = find_scenario(str(path))
        now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
        stream = scenario.open(seed, 0, scenario.settings(events, now_ms, Asked(1, 0)))
        return stream.block(number).slice(0, events).to_pydict()

    return draw
