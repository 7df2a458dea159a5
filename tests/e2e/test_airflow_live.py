"""The live page in Airflow: its entry and its tab, who may open them, and Airflow's switch between light and dark."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from cluster.local import LocalStack
from streamproof.airflow_api import Airflow
from tests.kit.depth import DEEP
from tests.kit.waiting import wait_until

SHOP = "rehearse_clickstream"
TOPIC = "e2e-shop"
PAUSED = "recurring_steady_hourly"
WAIT_MS = 60_000

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def token(airflow: Airflow) -> dict[str, str]:
    return {"Authorization": airflow._http.headers["Authorization"]}


@pytest.fixture(scope="module")
def finished(airflow: Airflow, shop_run: str) -> str:
    """The id of a run that is over, on the topic ``e2e-shop``."""
    list(airflow.follow(SHOP, shop_run, threading.Event()))
    return shop_run


@pytest.fixture(scope="module")
def page(browser: Browser, airflow_stack: LocalStack, password: str) -> Iterator[Page]:
    """A page that is signed in, in a browser that hands down the choice of a page to what is inside it."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, base_url=airflow_stack.airflow_url, color_scheme="null"
    )
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto("/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "login" not in address)
    yield page
    context.close()


def live_of(run_id: str) -> str:
    return f"/streamproof/live/runs/{SHOP}/{quote(run_id, safe='')}/"


@pytest.mark.parametrize("path", ["", "stream"])
@pytest.mark.parametrize("door", ["all", "run"])
def test_nobody_opens_the_page_or_its_stream_without_the_right_to(
    web: httpx.Client, strangers_token: str, finished: str, door: str, path: str
) -> None:
    address = ("/streamproof/live/" if door == "all" else live_of(finished)) + path
    assert web.get(address).status_code == 401
    refused = web.get(address, headers={"Authorization": f"Bearer {strangers_token}"})
    assert refused.status_code == 403
    assert TOPIC not in refused.text
    sent = web.get(address, headers={"Accept": "text/html"})
    assert sent.status_code == 303
    assert sent.headers["location"].startswith("/auth/login?next=%2Fstreamproof%2Flive%2F")


def test_the_page_has_a_policy_of_its_own_and_the_reports_keep_theirs(
    web: httpx.Client, token: dict[str, str], finished: str
) -> None:
    live = web.get("/streamproof/live/", headers=token)
    assert live.status_code == 200
    assert "script-src 'self'" in live.headers["content-security-policy"]
    report = web.get(f"/streamproof/runs/{SHOP}/{quote(finished, safe='')}", headers=token)
    assert "script" not in report.headers["content-security-policy"]
    assert "<script" not in report.text


def test_a_run_that_is_not_there_is_said_not_to_be(web: httpx.Client, token: dict[str, str]) -> None:
    missing = web.get(f"/streamproof/live/runs/{SHOP}/nothing/", headers=token)
    assert missing.status_code == 404
    assert "knows no run nothing" in missing.text


@pytest.mark.parametrize("conf", [{"topic": "e2e-not-begun"}, {}], ids=["form", "default"])
def test_a_run_that_has_not_begun_shows_the_topic_that_its_form_names(
    airflow: Airflow, airflow_stack: LocalStack, token: dict[str, str], conf: dict[str, str]
) -> None:
    # Its Dag is paused: no task of it was given anything yet.
    run_id = airflow.trigger(PAUSED, conf)
    address = f"{airflow_stack.airflow_url}/streamproof/live/runs/{PAUSED}/{quote(run_id, safe='')}/stream"
    with httpx.stream("GET", address, headers=token, timeout=60) as answer:
        document = next(json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: "))
    run = f"{airflow_stack.airflow_url}/api/v2/dags/{PAUSED}/dagRuns/{quote(run_id, safe='')}"
    assert httpx.delete(run, headers=token, timeout=60).status_code == 204
    assert [topic["name"] for topic in document["topics"]] == [conf.get("topic", "customer_events")]


def test_the_tab_of_a_run_shows_the_stages_of_its_topic(page: Page, finished: str, screenshots: Path) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"/dags/{SHOP}/runs/{finished}")
    page.get_by_role("link", name="Live", exact=True).last.click()
    live = page.frame_locator("iframe")
    expect(live.get_by_role("heading", level=2, name=re.compile(TOPIC))).to_be_visible(timeout=WAIT_MS)
    expect(live.locator("#state")).to_have_text(re.compile(r"As of \d\d:\d\d:\d\d UTC"), timeout=WAIT_MS)
    stages = live.get_by_role("group", name=f"Stages of {TOPIC}").locator("tbody tr")
    expect(stages).to_have_count(5)
    counts = [stages.nth(place).locator("[data-at=count]") for place in range(5)]
    for count in counts:
        expect(count).to_have_text(re.compile(r"^[\d,]+$"), timeout=WAIT_MS)
    assert counts[0].inner_text() == counts[1].inner_text() == counts[4].inner_text()
    expect(stages.first.locator("canvas")).to_be_visible()
    expect(live.locator("#contents")).to_be_hidden()
    expect(live.get_by_role("rowheader", name=finished)).to_be_visible()
    page.screenshot(path=screenshots / "live_tab.png")
    assert not [problem for problem in problems if "Content Security Policy" in problem or "streamproof" in problem]


def test_the_entry_of_the_navigation_shows_all_topics(page: Page, finished: str, screenshots: Path) -> None:
    page.goto("/")
    page.get_by_role("link", name="Live").first.click()
    live = page.frame_locator("iframe")
    expect(live.get_by_role("heading", level=2, name=re.compile(TOPIC))).to_be_visible(timeout=WAIT_MS)
    page.screenshot(path=screenshots / "live_entry.png")


def switched(page: Page, mode: str) -> None:
    """Turn Airflow's own switch, in the menu of the user."""
    page.get_by_role("button", name="User").click()
    page.get_by_role("menuitem", name="Appearance").click()
    page.get_by_role("menuitemradio", name=f"{mode.title()} Mode").click()
    expect(page.locator("html")).to_have_class(re.compile(mode))
    page.keyboard.press("Escape")


def background(frame: FrameLocator) -> str:
    return str(frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor"))


@pytest.mark.parametrize("shown", ["live", "report", "list"])
def test_what_is_shown_inside_airflow_follows_its_switch_between_light_and_dark_at_once(
    page: Page, finished: str, screenshots: Path, shown: str
) -> None:
    run = f"/dags/{SHOP}/runs/{finished}/plugin"
    page.goto({"live": f"{run}/live-run", "report": f"{run}/rehearsal-report", "list": "/plugin/rehearsals"}[shown])
    frame = page.frame_locator("iframe")
    expect(frame.locator("h1").first).to_be_visible(timeout=WAIT_MS)
    ink = r"body => getComputedStyle(body).color.match(/\d+/g).slice(0, 3).map(Number)"
    seen = {}
    for mode in ("dark", "light"):
        switched(page, mode)
        wait_until(
            lambda mode=mode: (sum(frame.locator("body").evaluate(ink)) > 380) == (mode == "dark"),
            f"{shown} to be {mode}",
        )
        seen[mode] = background(frame)
        page.screenshot(path=screenshots / f"{shown}_{mode}.png")
    if shown != "list":
        assert seen["dark"] != seen["light"]


def test_the_stream_goes_through_airflow_unbuffered_and_ends_by_itself(
    airflow_stack: LocalStack, token: dict[str, str]
) -> None:
    """So an open tab holds up the stop of the server no longer than that: see the unit tests of the page."""
    address = f"{airflow_stack.airflow_url}/streamproof/live/stream"
    with httpx.stream("GET", address, headers=token, timeout=60) as answer:
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in answer.headers
        events = (line for line in answer.iter_lines() if line.startswith("data:"))
        assert next(events) != next(events)
        if DEEP:  # half a minute
            assert sum(1 for _ in events) > 10
