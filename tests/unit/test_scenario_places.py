"""Scenarios of others: behind an entry point, in a folder, in a file, and what is said when there is none."""

from __future__ import annotations

import textwrap
from importlib.metadata import EntryPoint

import pytest

from cluster.errors import Misconfigured
from producer.preview import preview
from producer.scenarios import contract_of, find_scenario, places
from producer.scenarios.places import known_scenarios, locate, scenario_folders

MODULE = '''
from pathlib import Path

import numpy as np
import pyarrow as pa

from producer.scenarios import NOTHING_MORE


class Beats:
    """A sensor that ticks."""

    name, version, key, identity = "beats", 1, "sensor", "header"
    contract = str(Path(__file__).with_name("beat.avsc"))
    options = frozenset()
    pace, most = 0.0, 1_000_000
    mix, event_time = "sensor", None

    def settings(self, planned, started_at_ms, asked=NOTHING_MORE):
        return {}

    def libraries(self):
        return {}

    def open(self, seed, shard, settings):
        return Ticks()


class Ticks:
    block_events, limit = 100, 1_000_000

    def block(self, number):
        count = np.arange(number * 100, number * 100 + 100)
        return pa.record_batch({"sensor": pa.array([f"s{n % 7}" for n in count]), "tick": pa.array(count)})


SCENARIO = Beats()
'''
SCHEMA = '{"type":"record","name":"Beat","fields":[{"name":"sensor","type":"string"},{"name":"tick","type":"long"}]}'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "beats.py").write_text(MODULE)
    (tmp_path / "beat.avsc").write_text(SCHEMA)
    (tmp_path / "plain.yaml").write_text("schema: beat.avsc\nkey: sensor\n")
    return tmp_path


def test_a_module_in_a_folder_is_a_scenario(folder):
    place = locate("beats", [folder])
    assert place == str(folder / "beats.py")
    found = preview(place, events=250)
    assert found.keys == 7
    assert contract_of(find_scenario(place)).name == "beat"


def test_a_yaml_file_is_found_by_name_or_by_path(folder):
    assert locate("plain", scenario_folders(str(folder))) == locate(str(folder / "plain.yaml"))
    assert find_scenario(locate("plain", [folder])).name == "plain"


def test_an_entry_point_is_a_scenario(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    entry = EntryPoint("hearts", "beats:Beats", places.GROUP)
    monkeypatch.setattr(
        places, "entry_points", lambda **asked: [entry] if asked.get("name", "hearts") == "hearts" else []
    )
    assert locate("hearts") == "hearts"
    assert find_scenario("hearts").name == "beats"
    assert "hearts" in known_scenarios()


def test_an_unknown_name_is_told_with_the_nearest_known_one(folder):
    with pytest.raises(Misconfigured, match="Did you mean beats"):
        locate("beat", [folder])
    with pytest.raises(Misconfigured, match="Did you mean clickstream"):
        find_scenario("clickstrem")
    with pytest.raises(Misconfigured, match="no such folder"):
        scenario_folders("/no/such/folder")
    with pytest.raises(Misconfigured, match="no scenario file"):
        locate("./none.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nothing_of_that_name", "cannot be loaded: ModuleNotFoundError"),
        ("x = 1", "has no SCENARIO"),
        ("class SCENARIO:\n    name = 'x'", "lacks version, contract, key"),
    ],
)
def test_a_module_that_is_no_scenario_says_what_it_lacks(tmp_path, text, told):
    (tmp_path / "mine.py").write_text(textwrap.dedent(text))
    with pytest.raises(Misconfigured, match=told):
        find_scenario(str(tmp_path / "mine.py"))
