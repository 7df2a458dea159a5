"""Airflow tells the truth: a run that is stopped is judged, and its page never claims more than the newest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import httpx
import pytest
from playwright.sync_api import Browser, expect

from cluster.connection import Connection
from cluster.errors import DependencyDown
from cluster.local import PROJECT_ROOT, LocalStack
from schemas.control_topic import read_control_topic
from streamproof.airflow_api import Airflow, RunState
from streamproof.topic_count import TopicCount
from tests.kit.waiting import wait_until

DAG_ID = "rehearse_customer_events"
# Another Dag, so that both runs go on side by side: a Dag has one at a time.
SHOP = "rehearse_clickstream"
STOPPED, CLEARED = f"e2e-stopped-{uuid.uuid4().hex[:6]}", "e2e-shop"


# The first fixture waits for runs of other tests, and one of its own.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def signed_in(airflow: Airflow, airflow_stack: LocalStack) -> Any:
    headers = {"Authorization": airflow._http.headers["Authorization"]}
    with httpx.Client(base_url=airflow_stack.airflow_url or "", headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def connection(airflow_stack: LocalStack) -> Connection:
    return Connection.of({"bootstrap_servers": airflow_stack.bootstrap_servers}, {"url": airflow_stack.registry_url})


@pytest.fixture(scope="module")
def stopped(airflow: Airflow, connection: Connection, shop_run: str) -> tuple[str, RunState]:
    """A run of ten minutes that was marked as failed when it had begun to send."""
    run_id = airflow.trigger(DAG_ID, {"topic": STOPPED, "shards": 1, "rate": 200, "seconds": 600})
    # The Dag has one run at a time, and the one before may be trying a task again.
    wait_until(lambda: airflow.state(DAG_ID, run_id).state == "running", "it to begin", timeout_s=300, poll_s=0.3)
    in_kafka = TopicCount(connection.kafka, STOPPED)
    wait_until(in_kafka.now, "it to send", timeout_s=120, poll_s=0.3)
    wait_until(lambda: given_up(airflow, run_id), "Airflow to take it", timeout_s=30, poll_s=0.3)
    list(airflow.follow(SHOP, shop_run, threading.Event()))
    return run_id, list(airflow.follow(DAG_ID, run_id, threading.Event()))[-1]


def given_up(airflow: Airflow, run_id: str) -> bool:
    try:
        airflow.give_up(DAG_ID, run_id)
    except DependencyDown:  # with SQLite, where another process writes at that moment
        return False
    return True


def page(client: httpx.Client, run_id: str, dag_id: str = DAG_ID) -> httpx.Response:
    return client.get(f"/streamproof/runs/{dag_id}/{quote(run_id, safe='')}")


def clear(airflow: Airflow, run_id: str, task_id: str) -> str:
    """Clear one task alone, and return what became of it."""
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "only_failed": False}
    airflow._call("POST", f"/api/v2/dags/{SHOP}/clearTaskInstances", json=body)
    run = list(airflow.follow(SHOP, run_id, threading.Event()))[-1]
    (task,) = [task for task in run.tasks if task.task_id == task_id]
    return task.state


def test_a_run_that_is_marked_as_failed_is_loaded_audited_checked_and_reported(
    stopped: tuple[str, RunState], connection: Connection, signed_in: httpx.Client
) -> None:
    run_id, run = stopped
    assert run.state == "failed"
    found = {task.task_id: task.state for task in run.tasks}
    assert {found[name] for name in ("load", "audit", "check")} == {"success"}
    assert (found["generate"], found["publish"], found["report"]) == ("failed", "skipped", "failed")
    (manifest,) = read_control_topic(connection.kafka, STOPPED).manifests.values()
    assert (manifest.status, manifest.interrupted) == ("finished", True)
    assert 0 < manifest.acknowledged < 120_000
    text = page(signed_in, run_id).text
    assert f"All {manifest.acknowledged:,} acknowledged events are in the warehouse, once, unaltered." in text
    assert f"Cut short: {manifest.acknowledged:,} of 120,000 events asked for" in text
    assert "<title>PASSED, cut short" in text
    assert "Not published: `publish` has not run since the checks." in text
    assert connection.kafka.shown in text


def test_the_page_says_which_task_failed_why_and_where_its_log_is(
    stopped: tuple[str, RunState], signed_in: httpx.Client
) -> None:
    text = page(signed_in, stopped[0]).text
    assert 'this run ended, <b class="failed">failed</b>' in text
    assert "generate shard 1 of 1 failed</b>" in text
    assert f"/dags/{DAG_ID}/runs/{quote(stopped[0], safe='')}/tasks/generate/mapped/0?try_number=1" in text


def test_a_stopped_run_is_in_the_list_as_what_it_is(stopped: tuple[str, RunState], signed_in: httpx.Client) -> None:
    text = signed_in.get("/streamproof/").text
    assert "PASSED, cut short" in text
    assert "of 120,000 asked" in text
    assert 'manual, <span class="failed">failed</span>' in text


def test_an_audit_cleared_alone_changes_the_page_in_both_directions(
    airflow: Airflow, airflow_stack: LocalStack, signed_in: httpx.Client, shop_run: str, stopped: Any
) -> None:
    assert "<title>PASSED ·" in page(signed_in, shop_run, SHOP).text
    with duckdb.connect(str(airflow_stack.state_dir / "warehouse" / f"{CLEARED}.duckdb")) as database:
        database.execute("CREATE TEMP TABLE away AS SELECT * FROM events LIMIT 1")
        database.execute(
            "DELETE FROM events USING away WHERE (events._partition, events._offset) = (away._partition, away._offset)"
        )
        kept = database.sql("SELECT * FROM away").to_arrow_table()
        left = database.sql("SELECT count(*) FROM events").fetchall()[0][0]
    assert clear(airflow, shop_run, "audit") == "failed"
    text = page(signed_in, shop_run, SHOP).text
    assert "<title>FAILED ·" in text
    lost = f"Of {left + 1:,} acknowledged events: 1 lost"
    assert f"audit failed</b>: the audit says FAILED: {lost}; the first: " in text
    assert "and not again: the audit says FAILED" in text
    with duckdb.connect(str(airflow_stack.state_dir / "warehouse" / f"{CLEARED}.duckdb")) as database:
        database.register("kept", kept)
        database.execute("INSERT INTO events SELECT * FROM kept")
    assert clear(airflow, shop_run, "audit") == "success"
    assert "<title>PASSED ·" in page(signed_in, shop_run, SHOP).text


def test_a_run_that_ended_before_anything_was_sent_says_why_and_promises_nothing(
    airflow: Airflow, signed_in: httpx.Client, stopped: Any
) -> None:
    run_id = airflow.trigger(DAG_ID, {"topic": "e2e-refused-plan", "shape": "rmap(1, 2, 3s)"})
    list(airflow.follow(DAG_ID, run_id, threading.Event()))
    found = page(signed_in, run_id)
    assert found.status_code == 404
    assert "This run ended without a report" in found.text
    assert "plan failed</b>: the settings of the run are not valid: shape: " in found.text
    assert "unknown shape &#39;rmap&#39;, did you mean &#39;ramp&#39;?" in found.text
    assert "Value error" not in found.text
    assert 'http-equiv="refresh"' not in found.text


@pytest.mark.parametrize(("dag_id", "title"), [(DAG_ID, "There is no such run"), ("nothing", "There is no such Dag")])
def test_a_run_that_does_not_exist_is_told_in_words(signed_in: httpx.Client, dag_id: str, title: str) -> None:
    found = page(signed_in, "manual__never", dag_id)
    assert (found.status_code, title in found.text) == (404, True)
    assert 'http-equiv="refresh"' not in found.text


def test_a_run_of_the_terminal_is_in_the_list_with_its_kind_and_has_its_page(
    airflow_stack: LocalStack, signed_in: httpx.Client, shop_run: str, stopped: Any
) -> None:
    own = ["produce", "customer_events", "--topic", STOPPED, "--events", "100", "--run-id", "typed/by hand"]
    for words in (own, ["load", STOPPED], ["report", STOPPED, "--run-id", "typed/by hand"]):
        done = subprocess.run(
            [sys.executable, "-m", "streamproof", *words],
            cwd=PROJECT_ROOT,
            env={"PATH": "/usr/bin:/bin", "STREAMPROOF_STATE_DIR": str(airflow_stack.state_dir)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    text = signed_in.get("/streamproof/").text
    assert "typed/by hand" in text
    assert "<td>terminal</td>" in text
    found = signed_in.get(f"/streamproof/terminal/{quote('typed/by hand', safe='')}")
    assert (found.status_code, "No audit of this run is recorded" in found.text) == (200, True)
    # Those of Dags are not to be had by this way, which asks for less.
    assert signed_in.get(f"/streamproof/terminal/{quote(f'{SHOP}/{shop_run}', safe='')}").status_code == 404


@pytest.fixture
def many(airflow_stack: LocalStack, stopped: Any) -> Iterator[int]:
    """Three thousand reports of runs of the terminal, that were all written after the others."""
    folder = airflow_stack.state_dir / "publications" / f"{STOPPED}-many"
    (original,) = (folder.parent / STOPPED / "reports").glob("rehearse*/summary.json")
    summary = json.loads(original.read_text())
    for number in range(3000):
        place = folder / "reports" / f"{number}"
        place.mkdir(parents=True)
        (place / "summary.json").write_text(json.dumps(summary | {"run_id": f"typed-{number}"}))
    yield 3000
    shutil.rmtree(folder)


def test_three_thousand_reports_are_listed_in_pages(signed_in: httpx.Client, many: int) -> None:
    first = signed_in.get("/streamproof/")
    began = time.monotonic()
    again = signed_in.get("/streamproof/")
    took = time.monotonic() - began
    assert first.text.count("typed-") == 2 * 50
    assert len(first.content) < 60_000
    assert again.text == first.text
    last = signed_in.get("/streamproof/", params={"page": many // 50})
    assert last.text.count("typed-") == 2 * 50
    assert 'rel="prev"' in last.text
    beyond = signed_in.get("/streamproof/", params={"page": 9000})
    assert "There are not so many" in beyond.text
    assert signed_in.get("/streamproof/", params={"page": 0}).status_code == 422
    print(f"the first page of {many} took {took:.2f} s")


def test_the_list_and_the_page_fit_a_phone(
    browser: Browser,
    airflow_stack: LocalStack,
    stopped: tuple[str, RunState],
    signed_in: httpx.Client,
    screenshots: Path,
) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 800}, base_url=airflow_stack.airflow_url)
    context.set_extra_http_headers({"Authorization": signed_in.headers["Authorization"]})
    phone = context.new_page()
    for name, path in (("list", ""), ("run", f"runs/{DAG_ID}/{quote(stopped[0], safe='')}")):
        phone.goto(f"/streamproof/{path}", timeout=60_000)
        phone.screenshot(path=screenshots / f"phone_{name}.png")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 420
    context.close()


def test_a_slip_in_the_form_is_refused_instead_of_moved_to_a_bound(
    browser: Browser, airflow: Airflow, airflow_stack: LocalStack, password: str, screenshots: Path, stopped: Any
) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=airflow_stack.airflow_url)
    context.set_default_timeout(60_000)
    form = context.new_page()
    form.goto(f"/dags/{DAG_ID}")
    form.fill("input[name=username]", "admin")
    form.fill("input[name=password]", password)
    form.click("button[type=submit]")
    before = len(airflow._get(f"/api/v2/dags/{DAG_ID}/dagRuns")["dag_runs"])
    form.get_by_role("button", name="Trigger").first.click()
    expect(form.get_by_role("checkbox", name="As fast as possible")).to_be_attached(timeout=60_000)
    rate = form.get_by_role("spinbutton", name="Rate")
    rate.fill("-5")
    rate.blur()
    form.screenshot(path=screenshots / "form.png")
    assert rate.input_value() == "-5"
    with form.expect_response(lambda answer: answer.request.method == "POST" and "dagRuns" in answer.url) as answered:
        form.get_by_role("dialog").get_by_role("button", name="Trigger").click()
    assert answered.value.status == 400
    assert len(airflow._get(f"/api/v2/dags/{DAG_ID}/dagRuns")["dag_runs"]) == before
    context.close()
