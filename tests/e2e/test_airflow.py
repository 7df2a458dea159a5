"""A rehearsal in a real Airflow, as a person and as CI meet it: the command, the REST API, the report, the browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from cluster.connection import Connection
from cluster.errors import Misconfigured
from cluster.local import LocalStack
from cluster.topics import admin_client
from schemas.registry.gate import Registry
from streamproof.airflow_api import TASKS, Airflow, RunState
from tests.kit.commands import command_line

DAG_ID = "rehearse_customer_events"
CLICKSTREAM = "rehearse_clickstream"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="session")
def token(airflow: Airflow) -> str:
    return str(airflow._http.headers["Authorization"]).removeprefix("Bearer ")


@pytest.fixture(scope="session")
def report_path(demo: Any) -> str:
    dag_id, run_id = demo.dag_run
    return f"/streamproof/runs/{dag_id}/{run_id.replace('+', '%2B')}"


def test_the_demo_ends_with_the_verdict_as_its_exit_code(demo: Any) -> None:
    assert demo.exit_code == 0, demo.said
    document = demo.document
    assert document["verdict"] == "PASSED"
    assert document["state"] == "success"
    assert document["summary"]["audit"]["expected"] == document["summary"]["audit"]["loaded"] == 6000
    assert Path(document["report"]).is_file()
    assert Path(document["snapshot"]).is_file()


def test_the_demo_says_what_each_task_did_as_it_goes(demo: Any) -> None:
    for task in ("ensure_topics", "generate shard 1 of 2", "generate shard 2 of 2", "load", "audit", "report"):
        assert f'"task": "{task}"' in demo.said
    assert "acknowledged 3,000" in demo.said


def test_a_stack_that_ran_before_the_demo_runs_after_it(demo: Any, airflow: Airflow) -> None:
    assert demo.document["stack_left_running"] is True
    assert airflow.state(*demo.dag_run).state == "success"


def test_every_task_of_the_run_succeeded_and_says_figures(demo: Any, airflow: Airflow) -> None:
    dag_id, run_id = demo.dag_run
    run = airflow.state(dag_id, run_id)
    assert {task.task_id for task in run.tasks} == set(TASKS)
    assert {task.state for task in run.tasks} == {"success"}
    said = {task.label: airflow.log_tail(dag_id, run_id, task) for task in run.tasks}
    assert any("3,000 events" in line for line in said["generate shard 1 of 2"])
    assert any(re.search(r"Loaded 6,000 rows at [\d,]+ rows/s in [\d.]+ s", line) for line in said["load"])
    assert any(line.startswith("PASSED: expected 6,000, loaded 6,000, lost 0") for line in said["audit"])
    # A few lines each: nothing is said per message.
    assert all(len(lines) <= 12 for lines in said.values()), said


def test_topic_and_publication_are_assets_with_the_facts_of_the_run(demo: Any, web: httpx.Client, token: str) -> None:
    events = web.get("/api/v2/assets/events", params={"limit": 50}, headers=bearer(token)).json()["asset_events"]
    found = {event["uri"]: event["extra"] for event in events if event["source_run_id"] == demo.dag_run[1]}
    assert found["kafka://kafka_default/e2e-demo"]["verdict"] == "PASSED"
    assert found["kafka://kafka_default/e2e-demo"]["events"] == 6000
    assert found["streamproof://publications/e2e-demo"]["rows"] == 6000
    assert all(extra["run_id"] == demo.document["run_id"] for extra in found.values())


@pytest.mark.parametrize(
    "conf",
    [
        {"rate": -1},
        {"rate": 0},
        {"shards": 99},
        {"shards": 0},
        {"time_compression": 0},
        {"seconds": "soon"},
        {"topic": "no spaces"},
        {"topic": "x.manifests"},
        {"events": 0},
    ],
    ids=str,
)
def test_a_value_out_of_bounds_is_refused_before_anything_runs(airflow: Airflow, conf: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="400"):
        airflow.trigger(DAG_ID, conf)


def test_an_option_out_of_its_bounds_is_refused_before_anything_runs(airflow: Airflow) -> None:
    with pytest.raises(Misconfigured, match="400"):
        airflow.trigger(CLICKSTREAM, {"users": 0})


@pytest.mark.parametrize("page", ["report", "index"])
def test_nobody_sees_a_report_without_signing_in(web: httpx.Client, report_path: str, page: str) -> None:
    path = report_path if page == "report" else "/streamproof/"
    assert web.get(path).status_code == 401
    # A browser is sent to sign in, and comes back.
    sent = web.get(path, headers={"Accept": "text/html"})
    assert sent.status_code == 303
    assert sent.headers["location"].startswith("/auth/login?next=%2Fstreamproof%2F")
    assert web.get(path, headers=bearer("not.a.token")).status_code in {401, 403}


@pytest.mark.parametrize("page", ["report", "index"])
def test_a_user_without_access_to_the_dag_is_refused(
    web: httpx.Client, report_path: str, strangers_token: str, page: str
) -> None:
    path = report_path if page == "report" else "/streamproof/"
    refused = web.get(path, headers=bearer(strangers_token))
    assert refused.status_code == 403
    assert "6,000" not in refused.text


def test_the_report_is_served_as_it_was_published_and_may_do_nothing(
    web: httpx.Client, report_path: str, token: str, demo: Any
) -> None:
    page = web.get(report_path, headers=bearer(token))
    assert page.status_code == 200
    # What Airflow knows of the run stands above, and nothing else is added.
    before, _, after = page.text.partition("<style>\n.above")
    assert before + after.partition("</div>")[2] == Path(demo.document["report"]).read_text()
    assert 'this run ended, <b class="success">success</b>' in after
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "script" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/streamproof/runs/..%2f..%2f..%2f..%2fetc/passwd",
        "/streamproof/runs/%2e%2e/%2e%2e",
        "/streamproof/runs/x/..%2f..%2fcurrent%2fsnapshot.duckdb",
        "/streamproof/runs/*/*",
        "/streamproof/..%2fetc%2fpasswd",
        "/streamproof/summary.json",
        f"/streamproof/runs/{DAG_ID}/x/summary.json",
    ],
)
def test_nothing_but_reports_can_be_fetched(web: httpx.Client, token: str, path: str) -> None:
    answer = web.get(path, headers=bearer(token))
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_the_index_lists_the_run(web: httpx.Client, token: str, demo: Any, report_path: str) -> None:
    page = web.get("/streamproof/", headers=bearer(token))
    assert page.status_code == 200
    assert demo.document["run_id"].replace("+", "&#43;") in page.text or demo.document["run_id"] in page.text
    assert f'href="{report_path.replace(":", "%3A")}"' in page.text


@pytest.fixture(scope="module")
def side_by_side(airflow: Airflow, shop_run: str) -> dict[str, tuple[str, RunState]]:
    """A run with injected faults, one of the web shop, and one that cannot be, each of a Dag or a topic of its own."""
    stop = threading.Event()
    small = {"shards": 1, "events": 3000, "full_speed": True}
    faults = {"fault_duplicate": 7, "fault_dropped": 4, "faults": "undecodable=12"}
    runs = {
        "clickstream": (CLICKSTREAM, shop_run),
        "refused": (DAG_ID, airflow.trigger(DAG_ID, {"users": 100, "topic": "e2e-impossible"})),
        "faults": (DAG_ID, airflow.trigger(DAG_ID, {**small, **faults, "topic": "e2e-faulty"})),
    }
    return {name: (run_id, list(airflow.follow(dag_id, run_id, stop))[-1]) for name, (dag_id, run_id) in runs.items()}


def audited(airflow: Airflow, dag_id: str, run_id: str, run: RunState) -> dict[str, Any]:
    (audit,) = [task for task in run.tasks if task.task_id == "audit"]
    return airflow.returned(dag_id, run_id, audit)


def test_a_run_with_injected_faults_passes_when_exactly_those_are_found(
    airflow: Airflow, web: httpx.Client, token: str, side_by_side: dict[str, tuple[str, RunState]]
) -> None:
    run_id, run = side_by_side["faults"]
    assert run.state == "success", run.tasks
    found = audited(airflow, DAG_ID, run_id, run)
    assert found["verdict"] == "PASSED"
    assert (found["duplicated"], found["lost"], found["undecodable"]) == (7, 4, 12)
    assert (found["phantom"], found["altered"], found["reordered"]) == (0, 0, 0)
    page = web.get(f"/streamproof/runs/{DAG_ID}/{run_id.replace('+', '%2B')}", headers=bearer(token))
    assert page.status_code == 200
    assert "Of 23 injected faults 23 were found, with 0 false alarms." in page.text


def test_another_scenario_is_gated_and_audited_by_its_own_contract(
    airflow: Airflow, airflow_stack: LocalStack, side_by_side: dict[str, tuple[str, RunState]]
) -> None:
    run_id, run = side_by_side["clickstream"]
    assert run.state == "success", run.tasks
    found = audited(airflow, CLICKSTREAM, run_id, run)
    assert found["verdict"] == "PASSED"
    (check,) = [task for task in run.tasks if task.task_id == "check"]
    assert airflow.returned(CLICKSTREAM, run_id, check)["warnings"] == 0
    # The users end the run: 100 whole sessions of a few events each.
    assert 200 < found["expected"] == found["loaded"] < 2000
    settings = Connection.of(
        {"bootstrap_servers": airflow_stack.bootstrap_servers}, {"url": airflow_stack.registry_url}
    ).registry
    with Registry(settings) as registry:
        (schema,) = registry.versions("e2e-shop-value")
    assert "globalseq" in schema.text


def test_what_a_scenario_does_not_take_is_refused_before_a_topic_is_made(
    airflow: Airflow, airflow_stack: LocalStack, side_by_side: dict[str, tuple[str, RunState]]
) -> None:
    run_id, run = side_by_side["refused"]
    assert run.state == "failed"
    assert {task.task_id: task.state for task in run.tasks} == dict.fromkeys(TASKS, "upstream_failed") | {
        "plan": "failed",
        "report": "failed",
    }
    (plan,) = [task for task in run.failed_tasks() if task.task_id == "plan"]
    assert plan.tries == 1
    assert any("takes no option users" in line for line in airflow.log_tail(DAG_ID, run_id, plan))
    kafka = Connection.of(
        {"bootstrap_servers": airflow_stack.bootstrap_servers}, {"url": airflow_stack.registry_url}
    ).kafka
    assert "e2e-impossible" not in admin_client(kafka).list_topics(timeout=15).topics


def test_a_demo_that_fails_shows_why_and_says_so_by_its_exit_code(
    run_demo: Callable[..., Any], airflow_stack: LocalStack
) -> None:
    settings = Connection.of(
        {"bootstrap_servers": airflow_stack.bootstrap_servers}, {"url": airflow_stack.registry_url}
    ).registry
    with Registry(settings) as registry:
        registry.register("e2e-refused-value", '{"type": "string"}')
    demo = run_demo("--events", "1000", "--topic", "e2e-refused")
    assert demo.exit_code == 65
    assert demo.document["verdict"] == "FAILED"
    assert demo.document["report"] is None
    assert "schema_gate failed" in demo.said
    assert "SchemaIncompatible" in demo.said


def test_an_interrupted_demo_says_what_goes_on(airflow_stack: LocalStack, airflow: Airflow) -> None:
    flags = ["--events", "100000", "--rate", "500", "--shards", "1", "--topic", "e2e-interrupted"]
    process = subprocess.Popen(
        command_line("demo", *flags),
        env=os.environ | {"STREAMPROOF_STATE_DIR": str(airflow_stack.state_dir)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    try:
        for line in process.stderr:
            if '"task": "ensure_topics"' in line:
                break
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 75
    assert "goes on in Airflow" in said
    assert "streamproof down" in said
    (run_id,) = re.findall(r"the run (manual__\S+)", said)
    assert airflow.state(DAG_ID, run_id).state in {"running", "queued"}
    # Nobody waits for the rest of it.
    airflow._call("PATCH", f"/api/v2/dags/{DAG_ID}/dagRuns/{run_id}", json={"state": "failed"})


@pytest.fixture(scope="module")
def page(browser: Browser, airflow_stack: LocalStack, password: str, demo: Any) -> Any:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=airflow_stack.airflow_url)
    context.set_default_timeout(60_000)
    page = context.new_page()
    # Straight to the run: the login page sends back to it.
    page.goto(f"/dags/{demo.dag_run[0]}/runs/{demo.dag_run[1]}")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url("**/runs/*")
    yield page
    context.close()


def test_the_dag_run_shows_labelled_shards_in_the_browser(page: Page, screenshots: Path) -> None:
    expect(page.get_by_text("shard 1 of 2").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("shard 2 of 2").first).to_be_visible()
    page.screenshot(path=screenshots / "dag_run.png")


def test_the_report_is_a_tab_of_the_dag_run_in_the_browser(page: Page, screenshots: Path) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.get_by_role("link", name="Report", exact=True).click()
    report = page.frame_locator("iframe")
    expect(report.get_by_text("PASSED").first).to_be_visible(timeout=60_000)
    expect(report.get_by_text("6,000").first).to_be_visible()
    # Drawn, not only present: the page brings its styles along, and nothing of it is refused.
    assert report.locator("svg").count() > 0
    assert report.locator("body").evaluate("body => getComputedStyle(body).fontFamily") != '"Times New Roman"'
    assert not [problem for problem in problems if "Content Security Policy" in problem], problems
    page.screenshot(path=screenshots / "report.png")


def test_all_reports_are_an_entry_of_the_navigation_in_the_browser(page: Page, screenshots: Path, demo: Any) -> None:
    page.get_by_role("link", name="Rehearsals").first.click()
    index = page.frame_locator("iframe")
    link = index.get_by_role("link", name=demo.document["run_id"])
    expect(link).to_be_visible(timeout=60_000)
    page.screenshot(path=screenshots / "rehearsals.png")
    link.click()
    expect(index.get_by_text("PASSED").first).to_be_visible(timeout=60_000)


def test_the_form_says_in_the_browser_what_full_speed_is_and_what_a_topic_may_be_called(
    page: Page, screenshots: Path, demo: Any
) -> None:
    page.goto(f"/dags/{demo.dag_run[0]}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    expect(form.locator("label", has_text="As fast as possible")).to_be_visible(timeout=60_000)
    expect(form.get_by_text("Created when it is missing")).to_be_visible()
    page.screenshot(path=screenshots / "trigger_form.png")
