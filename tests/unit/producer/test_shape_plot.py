"""A load shape can be seen before anything is sent."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
import typer
import yaml
from typer.testing import CliRunner

from cluster.errors import Misconfigured
from producer.shapes import KINDS, from_setting, outline, parse, to_text
from streamproof.commands import preview
from streamproof.views.shape_plot import sentence, shape_plot, spoken_s
from tests.kit import ROOT


def plotted(text: str, **more) -> list[str]:
    return shape_plot(outline(parse(text), **more)).plain.splitlines()


def test_the_plot_shows_shape_scale_time_and_count():
    lines = plotted("ramp(0, 20k, 60s)")
    assert lines[0] == "ramp(0, 20000, 1m)"
    assert lines[1].startswith("20k/s ┤")
    assert lines[5].startswith("10k/s ┤")
    assert lines[-3].split() == ["0", "30", "s", "60", "s"]
    assert lines[-2:] == ["600,000 events planned in 60 s", "10,000/s on average, 20,000/s at most"]


def test_the_area_grows_with_the_rate():
    lines = plotted("step(100, 400, 4, 40s)")[1:9]
    filled = [sum(row[column] not in " ⠀" for row in (line.split("┤")[-1].split("│")[-1] for line in lines))
              for column in (7, 22, 37, 52)]  # fmt: skip
    assert filled == [2, 4, 6, 8]


def test_a_burst_that_is_shorter_than_a_column_is_seen():
    assert outline(parse("spike(10, 9000, 100s, 1s, 1000s)")).highest == 9000


def test_a_low_rate_is_not_drawn_as_none():
    last = plotted("spike(1, 9000, 50s, 1s, 100s)")[8]
    assert set(last.split("│")[1]) == {"⣀", "⣿"}


@pytest.mark.parametrize(
    ("text", "seconds", "said"),
    [
        ("constant(20, 5m)", None, "6,000 events planned in 5 min"),
        ("constant(20, 5m)", 30, "600 events planned in 30 s"),
        ("constant(20)", 30, "600 events planned in 30 s"),
        ("constant(20)", None, "200 events planned in the first 10 s, no end"),
        ("sine(0, 20, 1m)", None, "1,200 events planned in the first 2 min, no end"),
        ("burst(0, 20, 10s, 1s)", None, "40 events planned in the first 20 s, no end"),
        ("diurnal(1, 1, 24h)", None, "172,800 events planned in the first 48 h, no end"),
        ("ramp(0, 20, 60s) + constant(20)", None, "1,000 events planned in the first 80 s, no end"),
        ("constant(0.5, 4s)", None, "2 events planned in 4 s\n0.5/s on average, 0.5/s at most"),
    ],
)
def test_the_planned_count_is_said_with_its_time(text, seconds, said):
    assert said in sentence(outline(parse(text), seconds=seconds))


def test_the_planned_count_of_poisson_arrivals_is_that_of_the_seed():
    shape = parse("poisson(100, 60s)")
    assert outline(shape, seed=4).events == shape.schedule(4).planned != outline(shape, seed=5).events


def test_durations_read_in_the_unit_that_suits_them():
    assert [spoken_s(seconds) for seconds in (0.25, 90, 150, 7200, 86_400)] == [
        "0.25 s",
        "90 s",
        "2.5 min",
        "2 h",
        "24 h",
    ]


GUIDE = (ROOT / "docs" / "shapes.md").read_text()


def test_the_plots_of_the_guide_are_what_preview_draws():
    plots = [block for block in re.findall(r"```\n(.*?)\n```", GUIDE, re.DOTALL) if "events planned" in block]
    assert {kind for plot in plots for kind in KINDS if plot.startswith(f"{kind}(")} == set(KINDS)
    for plot in plots:
        assert plot.splitlines() == [line.rstrip() for line in plotted(plot.splitlines()[0])]


def test_every_shape_that_the_guide_writes_is_one():
    asked = re.findall(r'--shape "([^"]+)"', GUIDE)
    settings = [yaml.safe_load(block)["shape"] for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
    assert len(asked) >= 3
    for text in asked:
        assert outline(parse(text)).events
    assert len({to_text(from_setting(setting)) for setting in settings}) == 1 < len(settings)


def test_the_guide_names_every_field_of_every_shape():
    for kind in KINDS.values():
        heading = re.search(rf"### `{kind.name}\((.*?)\)`", GUIDE)
        assert heading is not None
        fields = [field.name for field in dataclasses.fields(kind)]
        assert re.findall(r"\w+", heading[1]) == [{"of": "shape"}.get(name, name) for name in fields]


@pytest.fixture
def look():
    app = typer.Typer()
    preview.register(app)
    return lambda *more: CliRunner().invoke(
        app, ["customer_events", "--events", "50", *more], catch_exceptions=False, env={"COLUMNS": "100"}
    )


def test_preview_plots_the_shape_and_says_the_count(look):
    shown = look("--shape", "sine(100, 900, 20s, 60s)").stdout
    assert "sine(100, 900, 20s, 1m)" in shown
    assert "30,000 events planned in 60 s" in shown
    assert "planned" not in look().stdout


def test_preview_gives_the_shape_as_data(look):
    found = json.loads(look("--rate", "50", "--seconds", "30", "--json").stdout)["load"]
    assert (found["shape"], found["events"], found["seconds"], found["ends"]) == ("constant(50)", 1500, 30, True)
    assert set(found["rates"]) == {50}


def test_preview_refuses_a_shape_that_produce_would_refuse(look):
    with pytest.raises(Misconfigured, match="did you mean 'sine'"):
        look("--shape", "sinus(1, 2, 3s)")
    with pytest.raises(Misconfigured, match="rate and shape are both given"):
        look("--shape", "constant(5)", "--rate", "5")
