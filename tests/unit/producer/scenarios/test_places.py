"""Scenarios of others: behind an entry point, in a folder, in a file, and what is said when there is none."""

from __future__ import annotations

import json
import re
import textwrap
from importlib.metadata import EntryPoint

import pytest

from cluster.errors import Misconfigured
from producer.preview.preview import preview
from producer.resume.resume import Landed
from producer.scenarios import BaseScenario, contract_of, find_scenario
from producer.scenarios import find as places
from producer.scenarios.find import known_scenarios, locate, scenario_folders
from producer.send.supply import Supply
from schemas.fault_targets import FaultTargets
from schemas.formats.avro.codec import Encoder
from streamproof.cli import run

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
        (
            "import nothing_of_that_name",
            r"failed in loading: ModuleNotFoundError.*mine\.py, line 1: import nothing_of_that_name",
        ),
        ("x = 1", "has no SCENARIO"),
        ("class SCENARIO:\n    name = 'x'", "lacks version, contract, key"),
    ],
)
def test_a_module_that_is_no_scenario_says_what_it_lacks(tmp_path, text, told):
    (tmp_path / "mine.py").write_text(textwrap.dedent(text))
    with pytest.raises(Misconfigured, match=told):
        find_scenario(str(tmp_path / "mine.py"))


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("count = np.arange(", "count = np.arnge(", r"failed in block\(\): AttributeError.*line 33: count = np.arnge"),
        ("return Ticks()", "return Ticks(1)", r"failed in open\(\): TypeError.*line 26: return Ticks\(1\)"),
        ("return {}\n\n    def l", "return {}[1]\n\n    def l", r"failed in settings\(\): KeyError.*line 20"),
        ("SCENARIO = Beats()", "SCENARIO = lambda", r"failed in loading: SyntaxError.*beats\.py"),
        ("SCENARIO = Beats()", "Beats.__init__ = lambda self: 1 / 0\nSCENARIO = Beats", r"ZeroDivisionError.*line 37"),
        ("mix, event", "mix = property(lambda self: int('x'))\n    no, event", r"reading mix: ValueError.*line 17"),
        ("return pa.record_batch(", "return dict(", r"block\(\) of the scenario gives a dict"),
        (
            '"tick": pa.array(count)',
            '"tick": pa.array([f"t{n}" for n in count])',
            "column tick does not fit the schema",
        ),
        ('"tick": pa.array(count)', '"tock": pa.array(count)', "column tick has a null"),
        ('1, "sensor", "header"', '1, "sensr", "header"', "does not fit it: .*sensr"),
    ],
)
def test_a_fault_in_somebody_elses_code_names_its_line(folder, right, wrong, told, capsys):
    assert MODULE.count(right) == 1
    (folder / "beats.py").write_text(MODULE.replace(right, wrong))
    assert run(["preview", str(folder / "beats.py"), "--json"]) == 78
    error = json.loads(capsys.readouterr().out)["error"]
    assert re.search(told, f"{error['message']} {error['where']}"), error


UNSAID = """    options = frozenset()
    pace, most = 0.0, 1_000_000
    mix, event_time = "sensor", None
"""


@pytest.mark.parametrize("base", ["", "(BaseScenario)"])
def test_what_a_scenario_leaves_unsaid_is_none(folder, base):
    told = MODULE.replace(UNSAID, "    most = 1_000_000\n").replace("    def libraries(self):\n        return {}\n", "")
    told = told.replace("NOTHING_MORE\n", "NOTHING_MORE, BaseScenario\n").replace("class Beats:", f"class Beats{base}:")
    (folder / "beats.py").write_text(told)
    scenario = find_scenario(str(folder / "beats.py"))
    assert (scenario.options, scenario.pace, scenario.mix, scenario.event_time) == ((), 0.0, None, None)
    assert (scenario.fault_targets, scenario.libraries()) == (None, {})
    stream = scenario.open(1, 0, {})
    assert stream.later_columns(0, stream.block(0)) == {}


def test_whatever_a_scenario_may_leave_unsaid_is_taken_when_it_is_said(folder):
    """The next member of the interface as well: what is asked for here is read from it."""
    said = {"format": "json", "pace": 2.5, "mix": "sensor", "event_time": "tick", "fault_targets": FaultTargets()}
    said |= {"common": ("colour",), "remarks": ("a note",)}
    unsaid = {name for name, value in vars(BaseScenario).items() if not (name.startswith("_") or callable(value))}
    assert said.keys() == unsaid - {"options"}
    lines = "".join(f"SCENARIO.{name} = {value!r}\n" for name, value in said.items())
    (folder / "beats.py").write_text(MODULE + "\n" + FAULTS + lines)
    scenario = find_scenario(str(folder / "beats.py"))
    assert {name: getattr(scenario, name) for name in said} == said


def test_what_a_scenario_says_beyond_the_least_is_taken(folder):
    more = "    fault_targets = FaultTargets(duration='tick')\n\n    def settings("
    told = MODULE.replace("    def settings(", more, 1).replace(
        "import pyarrow as pa\n", f"import pyarrow as pa\n{FAULTS}"
    )
    told = told.replace(
        "SCENARIO = B", "    def later_columns(self, number, block):\n        return {'n': 1}\n\n\nSCENARIO = B"
    )
    (folder / "beats.py").write_text(told)
    scenario = find_scenario(str(folder / "beats.py"))
    assert scenario.fault_targets.duration == "tick"
    assert list(scenario.open(1, 0, {}).later_columns(0, None)) == ["n"]


FAULTS = "from producer.faults import FaultTargets\n"


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("pace, most", "fault_target, most", "has fault_target, which nobody asks for: did you mean fault_targets"),
        (
            "    def block(",
            "    later_column = None\n\n    def block(",
            "has later_column, .*did you mean later_columns",
        ),
        ("block_events, limit", "block_event, limit", r"stream that open\(\) returns lacks block_events"),
        ("mix, event", "mix = property(lambda self: self.nothing)\n    no, event", "reading mix: AttributeError"),
    ],
)
def test_a_member_that_nobody_would_ask_for_is_no_silence(folder, right, wrong, told):
    (folder / "beats.py").write_text(MODULE.replace(right, wrong))
    with pytest.raises(Misconfigured, match=told):
        find_scenario(str(folder / "beats.py")).open(1, 0, {})


@pytest.mark.parametrize(("right", "wrong"), [("np.arange(", "np.arnge("), ('"tick": pa', '"tock": pa')])
def test_a_run_blames_the_scenario_as_a_preview_does(folder, right, wrong):
    (folder / "beats.py").write_text(MODULE.replace(right, wrong))
    scenario = find_scenario(str(folder / "beats.py"))
    stream, encoder = scenario.open(1, 0, {}), Encoder(SCHEMA, 1)
    run = {"run_id": "r", "shard": 0, "key": "sensor", "end": 10, "landed": Landed.nothing(), "identity": "header"}
    with Supply(stream, encoder, **run) as supply, pytest.raises(Misconfigured, match=r"beats\.py"):
        list(supply)
