"""The live page in a browser, alone: what it shows, what it says when it knows nothing new, and who can use it."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from cluster.connection import Connection
from consumer.live.page.serving import page_of
from consumer.live.snapshot import NameTotal, TotalsSight
from producer import ProduceRequest, produce_shard
from tests.kit.commands import command_line
from tests.kit.live_snapshots import MARKUP, FedSource, snapshot_at, topic_sight
from tests.kit.waiting import wait_until

LIVE = re.compile(r"^As of \d\d:\d\d:\d\d UTC$")
CONTRAST = """() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const seen = (colour) => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data];
    };
    const light = (rgb) => {
        const [r, g, b] = rgb.map((part) => (part /= 255) <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = seen(getComputedStyle(at).backgroundColor);
            if (colour[3] === 255) return colour.slice(0, 3);
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.checkVisibility() || element.closest(".away, .skip")) continue;
        const [one, other] = [light(seen(getComputedStyle(element).color).slice(0, 3)), light(behind(element))];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (ratio < 4.5) faint.push([element.tagName, element.className, element.textContent, ratio].join(" "));
    }
    return faint;
}"""

UNNAMED = """() => [...document.querySelectorAll("[tabindex='0'], [role=img], section.topic")]
    .filter((each) => !each.getAttribute("aria-label") && !each.getAttribute("aria-labelledby"))
    .map((each) => each.outerHTML.slice(0, 80))"""


@pytest.fixture
def source() -> FedSource:
    return FedSource(beats=True)


@pytest.fixture
def address(source: FedSource) -> Iterator[str]:
    with page_of(source) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Any]:
    """A factory of open pages, which are closed before the server; what a browser complains of fails the test."""
    opened, problems = [], []

    def make(address: str, *, width: int = 1280, live: bool = True, **how: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **how)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        if live:
            expect(page.locator("#state")).to_have_text(LIVE)
        opened.append(context)
        return page

    make.problems = problems  # type: ignore[attr-defined]
    yield make
    for context in opened:
        context.close()
    assert not problems


def stage(page: Page, name: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=re.compile(f"^{name}")))


def test_each_stage_has_its_count_its_rate_its_plot_and_the_gap_to_the_one_before(open_page, address, screenshots):
    page = open_page(address)
    rows = page.get_by_role("group", name="Stages of shop").locator("tbody tr")
    expect(rows).to_have_count(5)
    seen = [row.locator("td").all_inner_texts() for row in rows.all()]
    assert [cells[0].split("\n")[0] for cells in seen] == ["5,000", "4,990", "4,980", "4,500", "unknown"]
    assert [cells[1] for cells in seen] == ["", "10", "10", "480", "unknown"]
    assert [cells[2] for cells in seen] == ["120", "120", "120", "120", "unknown"]
    plots = page.get_by_role("img", name=re.compile("Rate"))
    expect(plots).to_have_count(5)
    expect(plots.first).to_have_attribute("aria-label", "Rate generated: now 120, between 120 and 120 a second")
    expect(plots.last).to_have_attribute("aria-label", "Rate published: unknown")
    drawn = """canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"""
    assert plots.first.locator("canvas").evaluate(drawn)
    page.screenshot(path=screenshots / "live_alone.png", full_page=True)


def test_what_could_not_be_found_out_is_unknown_and_why_and_never_zero(open_page, address):
    page = open_page(address)
    expect(stage(page, "published")).to_contain_text("unknown")
    expect(stage(page, "published")).to_contain_text("the publication cannot be read; 4,000 at 12:00:30 UTC")
    silent = page.get_by_role("article").filter(has_text="silent")
    expect(silent).to_contain_text("unknown: it tells no positions")
    assert re.findall(r"\b0\b", silent.inner_text()) == []


def test_groups_say_who_has_what_who_is_idle_and_when_nothing_is_left(open_page, address):
    page = open_page(address)
    journey = page.get_by_role("article").filter(has_text="Reconciling")
    expect(journey).to_contain_text(re.compile("Behind.*480.*Caught up in.*12 s", re.DOTALL))
    members = page.get_by_role("group", name="Members of journey on shop").locator("tbody tr")
    assert [" | ".join(row.locator("td").all_inner_texts()) for row in members.all()] == [
        "0, 1 | 0 (hand-over)",
        "2 | 1, 2 (hand-over)",
        "idle | none",
    ]
    lags = page.get_by_role("group", name="Lag of journey on shop").locator("tbody tr")
    assert [row.locator("td").all_inner_texts()[:3] for row in lags.all()] == [
        ["1,500", "1,660", "160"],
        ["1,340", "1,660", "320"],
        ["none told", "1,660", "unknown"],
    ]


def test_text_of_records_stays_text(open_page, address):
    page = open_page(address)
    newest = page.get_by_role("group", name="Newest records of shop")
    expect(newest.locator("tbody tr")).to_have_count(3)
    expect(newest).to_contain_text(MARKUP)
    expect(newest).to_contain_text("shop-value v2 (id 7)")
    expect(newest).to_contain_text("no schema has this id: 00ff17")
    expect(newest).to_contain_text("a tombstone: no value")
    assert page.locator("main img[src]").count() == 0


def test_bars_of_totals_move(open_page, address, source):
    page = open_page(address)
    widths = "bars => bars.map(bar => bar.style.width)"
    bars = page.locator("[data-part=totals] .bar > span")
    assert bars.evaluate_all(widths) == ["100%", "25%"]
    totals = TotalsSight((NameTotal("productview", 4000), NameTotal("purchase", 3000)), "sample", None, 7000, "name")
    source.snapshot = snapshot_at(61, topic_sight(second=61, totals=totals))
    wait_until(lambda: bars.evaluate_all(widths) == ["100%", "75%"], "the bar to move")
    expect(page.locator("[data-part=totals]")).to_contain_text("of the newest 7,000 records alone, by name")


def test_a_lost_connection_is_told_with_its_time_and_numbers_are_not_shown_as_new(open_page, source):
    with page_of(source) as address:
        page = open_page(address)
        port = int(address.rstrip("/").rpartition(":")[2])
    state = page.locator("#state")
    expect(state).to_have_text(
        re.compile(r"^Connection lost at \d\d:\d\d:\d\d: numbers are as of 12:01:00 UTC. Trying again$"), timeout=20_000
    )
    expect(page.locator("#told")).to_contain_text("Connection lost")
    assert page.locator("main").evaluate("main => getComputedStyle(main).opacity") != "1"
    source.snapshot = snapshot_at(75)
    with page_of(source, port=port):
        expect(state).to_have_text("As of 12:01:15 UTC")
        expect(page.locator("#told")).to_contain_text("Connected again")
        expect(stage(page, "generated")).to_contain_text("12:01:15 UTC")
    assert all("ERR_CONNECTION_REFUSED" in problem or "ERR_INCOMPLETE" in problem for problem in open_page.problems)
    open_page.problems.clear()


def test_a_source_that_finds_out_nothing_new_is_told(open_page, address, source):
    page = open_page(address)
    source.beats = False
    expect(page.locator("#state")).to_have_text(
        re.compile(r"^Nothing new since \d\d:\d\d:\d\d: numbers are as of 12:01:00 UTC$"), timeout=20_000
    )


def test_streams_that_end_are_opened_again_without_a_word(open_page, source):
    with page_of(source, stream_s=0.6) as address:
        page = open_page(address)
        for second in range(61, 64):
            source.snapshot = snapshot_at(second)
            expect(page.locator("#state")).to_have_text(f"As of 12:01:0{second - 60} UTC")
            reached = source.openings
            wait_until(lambda reached=reached: source.openings > reached, "the stream to be opened again")
        assert page.locator("#told").inner_text() == ""
        page.close()  # before the server, which it would miss


def test_a_hidden_tab_watches_nothing_and_goes_on_when_it_is_seen(open_page, address, source):
    page = open_page(address)
    hide = """hidden => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    wait_until(lambda: source.watchers == 0, "the stream to be closed")
    expect(page.locator("#state")).to_have_text("Paused while this page is hidden; as of 12:01:00 UTC")
    source.snapshot = snapshot_at(80)
    page.evaluate(hide, False)
    expect(page.locator("#state")).to_have_text("As of 12:01:20 UTC")
    assert source.watchers == 1


def test_a_topic_that_is_not_there_and_kafka_that_does_not_answer_are_told_in_words(open_page, address, source):
    absent = replace(topic_sight("nothing"), exists=False)
    source.snapshot = snapshot_at(61, absent, topic_sight("shop"), problem="no broker answers at 127.0.0.1:9092")
    page = open_page(address)
    expect(page.get_by_role("alert")).to_have_text("no broker answers at 127.0.0.1:9092")
    expect(page.get_by_text("There is no such topic.")).to_be_visible()
    expect(page.get_by_role("group", name="Stages of nothing")).to_be_hidden()
    links = page.get_by_role("navigation", name="Topics").get_by_role("link")
    assert links.all_inner_texts() == ["nothing", "shop"]


def test_incidents_are_listed_and_told_when_they_end(open_page, address, source):
    going = replace(snapshot_at(61).incidents[0], end=None)
    source.snapshot = snapshot_at(61, incidents=(going,))
    page = open_page(address)
    incidents = page.get_by_role("region", name="Incidents")
    expect(incidents).to_contain_text("stop broker 2 since 12:00:20 UTC broker 2 is stopped for 10 s")
    source.snapshot = snapshot_at(62)
    expect(incidents).to_contain_text("12:00:20 UTC to 12:00:30 UTC")
    expect(page.locator("#told")).to_have_text("Incident began: stop broker 2. Incident ended: stop broker 2.")


def test_a_narrow_screen_needs_no_sideways_scrolling(open_page, address, screenshots):
    page = open_page(address, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    expect(stage(page, "loaded")).to_contain_text("480")
    expect(page.get_by_role("group", name="Newest records of shop")).to_contain_text("a tombstone: no value")
    # Runs and records are stacked: none of their cells is beyond the edge.
    for box in page.locator("[data-at=runs-box], [data-at=newest-box]").all():
        assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
    page.screenshot(path=screenshots / "live_narrow.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_readable_in_light_and_in_dark(open_page, address, scheme, screenshots):
    page = open_page(address, color_scheme=scheme)
    assert page.evaluate(CONTRAST) == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 21, 25)"
    assert dark == (scheme == "dark")
    page.screenshot(path=screenshots / f"live_{scheme}.png", full_page=True)


def test_all_of_it_can_be_reached_by_keyboard_and_left_again(open_page, address):
    page = open_page(address)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the numbers")
    expect(skip).to_be_focused()
    assert (skip.bounding_box() or {})["y"] >= 0
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    named = []
    for _ in range(20):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => {
                const at = document.activeElement;
                if (at === document.body) return null;
                return [at.getAttribute("aria-label") ?? at.textContent, getComputedStyle(at).outlineStyle];
            }"""
        )
        if found is None:
            break
        named.append(found)
    assert found is None, "the keyboard does not get out of the page"
    assert ["Newest records of shop", "solid"] in named
    assert all(label and outline == "solid" for label, outline in named)


def test_a_screen_reader_finds_landmarks_headings_and_headers_and_hears_no_numbers(open_page, address, source):
    page = open_page(address)
    for role in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    assert page.evaluate("document.documentElement.lang") == "en-GB"
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].filter(h => h.checkVisibility()).map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))
    assert page.locator("thead th:not([scope=col]), tbody th:not([scope=row])").count() == 0
    assert page.evaluate(UNNAMED) == []
    # What is told by itself is in the log alone: it has no number that moves, and nothing else is a live region.
    assert page.locator("main [aria-live], main [role=status], main [role=log], main [role=alert]").count() == 0
    source.snapshot = snapshot_at(61)
    expect(page.locator("#state")).to_have_text("As of 12:01:01 UTC")
    assert page.locator("#told").inner_text() == ""


def test_nothing_moves_for_who_wants_no_motion(open_page, address):
    bar = "getComputedStyle(document.querySelector('.bar > span')).transitionDuration"
    assert open_page(address).evaluate(bar) == "0.4s"
    assert open_page(address, reduced_motion="reduce").evaluate(bar) == "0s"


@pytest.fixture
def command(connection: Connection, ready_topic: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``streamproof live --page`` of a topic with 50 events, and the address that it tells."""
    produce_shard(connection, ProduceRequest(topic=ready_topic, run_id="first", events=50), stop=threading.Event())
    process = subprocess.Popen(
        command_line("live", ready_topic, "--page", "--json"), stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout
    with process:
        try:
            yield process, json.loads(process.stdout.readline())["page"]
        finally:
            process.kill()


def test_the_command_shows_a_real_topic_while_it_fills_and_ends_with_0(open_page, command, connection, ready_topic):
    process, address = command
    one, other = open_page(address), open_page(address, live=False)
    in_topic = "[data-at=count]"
    for page in (one, other):
        expect(stage(page, "in the topic").locator(in_topic)).to_have_text("50")
        expect(stage(page, "loaded")).to_contain_text("no load told its group how far it is")
    more = ProduceRequest(topic=ready_topic, run_id="second", events=1200)
    produce_shard(connection, more, stop=threading.Event())
    for name in ("generated", "acknowledged", "in the topic"):
        expect(stage(one, name).locator(in_topic)).to_have_text("1,250")
        expect(stage(other, name).locator(in_topic)).to_have_text("1,250")
    expect(one.get_by_role("group", name=f"Newest records of {ready_topic}").locator("tbody tr")).to_have_count(20)
    expect(one.get_by_role("rowheader", name=re.compile("^second "))).to_be_visible()
    for page in (one, other):
        page.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
