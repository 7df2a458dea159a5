"""What the operator promises that judges a pipeline of others: verdict and colour, waiting, stopping, connections.

It is asked in a process that is of Airflow: see ``tests/kit/sink_answers.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest

from tests.kit.airflow_process import airflow_process

Ask = Callable[..., Any]
AT = {"at": "f.duckdb#t"}
PASSED = {"verdict": "PASSED", "final": True, "acknowledged": 10, "expected": 10, "arrived": 10, "rows": 10}
LATE = {"verdict": "FAILED", "final": False, "expected": 10, "arrived": 9, "lost": 1}
WRONG = {"verdict": "FAILED", "final": True, "expected": 10, "arrived": 10, "altered": 1, "disagreeing": True}


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Put a question, by its name, with environment and arguments."""
    with airflow_process(tmp_path_factory.mktemp("airflow")) as process:
        yield process.ask


def test_what_passed_is_an_event_of_the_asset_and_its_figures_are_for_other_tasks(ask: Ask) -> None:
    told = ask("audited", looks=[PASSED], **AT)
    assert told["raised"] == ""
    assert told["returned"] == told["kept"]["figures"]
    assert told["returned"] | {"verdict": "PASSED", "expected": 10, "arrived": 10, "lost": 0} == told["returned"]
    ((uri, more),) = told["published"]
    assert uri == "streamproof://pipelines/t"
    facts = {"run_id": "r", "verdict": "PASSED", "events": 10, "at": "f.duckdb#t", "as_of": "10:00"}
    assert more == {"extra": facts}
    assert told["said"][-2].startswith("PASSED: expected 10, arrived 10, lost 0, ")
    assert told["said"][-1] == "It is said why. In 0.5 s."


def test_what_failed_names_event_column_value_and_expectation_and_keeps_its_figures(ask: Ask) -> None:
    told = ask("audited", looks=[WRONG], **AT)
    assert told["raised"].startswith("VerdictFailed: the audit says FAILED: It is said why")
    assert told["raised"].endswith("Look there")
    assert told["published"] == []
    said = told["said"][-4:]
    assert said[0] == "  at (timestamp): other in 1 event, rounded to minutes"
    assert said[1] == "    shard 0 sequence 77: sent 10:00:30, stored 10:00:00, row 5"
    assert said[2] == "  totals: 2 rows disagree. Totals per user."
    assert said[3] == "    user_id u1, sent 3"
    figures = told["kept"]["figures"]
    assert (figures["altered"], figures["columns"], figures["expectations"]) == (1, {"at": 1}, {"totals": 2})
    # Values are in the log, which is for whoever may read it; other tasks and assets have counts.
    assert "10:00:30" not in json.dumps(figures)
    lost = ask("audited", looks=[LATE], **AT)
    assert "  lost: shard 0 sequence 17 (an-id)" in lost["said"]


def test_a_run_that_only_audits_judged_has_a_page_and_is_red_unless_all_passed(ask: Ask, tmp_path: Path) -> None:
    passed = {"verdict": "PASSED", "reason": "All are there.", "arrived": 10, "expected": 10, "lost": 0}
    count = {"events": 10, "totals": {"a": 7, "b": 3}, "positions": {"0": 10}}

    def report(name: str, **asked: Any) -> Any:
        return ask("pipeline_reported", publications=str(tmp_path / name), **{"returned": {}, **asked})

    good = report("good", audits={"audit_totals": passed}, returned={"count": count})
    shown = {"events": 10, "totals": {"a": 7, "b": 3}}
    assert good["raised"] == ""
    assert good["returned"]["verdict"] == "PASSED"
    assert good["returned"]["count"] == good["summary"]["told"]["count"] == shown
    # The page is written whatever the audits say, also where Kafka tells nothing of the generators any more.
    lost = passed | {"verdict": "FAILED", "reason": "1 is lost."}
    bad = report("bad", audits={"audit_a": passed, "audit_b": lost}, control="gone")
    assert bad["raised"].startswith("VerdictFailed: FAILED: B FAILED: 1 is lost")
    assert (bad["summary"]["verdict"], list(bad["summary"]["audits"])) == ("FAILED", ["a", "b"])
    unknown = report("unknown", audits={"audit_a": passed, "audit_b": "there is no table"})
    assert unknown["raised"].startswith("VerdictUnknown: UNKNOWN: B UNKNOWN: there is no table")
    # Where nothing was sent and nothing found, a task before says why; there is nothing to show.
    nothing = report("nothing", audits={"audit_a": None})
    assert nothing["raised"].startswith("VerdictFailed: nothing of the run was sent")
    assert nothing["summary"] is None


def test_failed_is_not_tried_again_and_unknown_is(ask: Ask) -> None:
    assert ask("sink_retries") == {
        "VerdictFailed": "fail",
        "VerdictUnknown": "default",
        "Misconfigured": "fail",
        "WarehouseLocked": "default",
        "BrokerUnreachable": "default",
    }
    told = ask("audited", looks=[{"verdict": "UNKNOWN", "final": False}], **AT)
    assert told["raised"].startswith("VerdictUnknown: ")


def test_a_worker_that_waits_is_told_how_long_and_stops_when_the_task_is_killed(ask: Ask) -> None:
    told = ask("audited", looks=[PASSED], **AT, wait="5m", deferrable=False)
    assert [look["wait_s"] for look in told["asked"]] == [300]
    assert told["pauses"] == []
    killed = ask("sink_killed")
    assert killed["ended"] == "Interrupted"
    assert killed["kept"]["failure"].startswith("stopped; nothing was written anywhere")


def test_a_deferred_audit_looks_again_ever_less_often_until_the_verdict_is_final(ask: Ask) -> None:
    late = [LATE] * 6
    told = ask("audited", looks=[*late, PASSED], **AT, wait="10m", deferrable=True)
    assert told["pauses"] == [10, 20, 40, 60, 60, 60]
    assert told["raised"] == ""
    assert told["returned"]["verdict"] == "PASSED"
    # Each look is a short one: the pause is the triggerer's.
    assert {look["wait_s"] for look in told["asked"]} == {0}
    assert told["said"][1] == "Not final: It is said why; the first: shard 0 sequence 17 (an-id)"
    assert told["said"][2] == "Looking again in 10 s, until 2026-11-20T10:10:00+00:00"


def test_a_deferred_audit_ends_with_its_time_and_says_what_is_lost_then(ask: Ask) -> None:
    told = ask("audited", looks=[LATE] * 4, look_takes_s=1.0, **AT, wait="40s", deferrable=True)
    # 1 + 10 + 1 + 20 + 1 seconds are over then: the last look is when the time is.
    assert told["pauses"] == [10, 20, 7]
    assert told["raised"].startswith("VerdictFailed: ")
    assert told["kept"]["figures"]["lost"] == 1


def test_a_final_verdict_is_not_waited_for(ask: Ask) -> None:
    told = ask("audited", looks=[WRONG], **AT, wait="1h", deferrable=True)
    assert told["pauses"] == []
    assert told["raised"].startswith("VerdictFailed: ")


def test_a_sink_that_is_written_to_or_not_there_yet_is_looked_at_again_while_there_is_time(ask: Ask) -> None:
    busy = {"error": "WarehouseLocked"}
    told = ask("audited", looks=[busy, busy, PASSED], **AT, wait="1m", deferrable=True)
    assert told["pauses"] == [10, 20]
    assert told["returned"]["verdict"] == "PASSED"
    assert "Not final: it is busy" in told["said"]
    missing = [{"error": "PlaceMissing"}, {"error": "TopicMissing"}, PASSED]
    assert ask("audited", looks=missing, **AT, wait="1m", deferrable=True)["pauses"] == [10, 20]
    # What is wrong will not come right by waiting.
    wrong = ask("audited", looks=[{"error": "Misconfigured"}], **AT, wait="1m", deferrable=True)
    assert wrong["raised"] == "Misconfigured: it is busy"
    out_of_time = ask("audited", looks=[busy, busy], look_takes_s=2.0, **AT, wait="1s", deferrable=True)
    assert out_of_time["raised"] == "WarehouseLocked: it is busy"
    # The task was ended: nobody waits any more.
    stopped = ask("audited", looks=[{"error": "Interrupted"}], **AT, wait="1m", deferrable=True)
    assert stopped["raised"].startswith("Interrupted")


def test_whether_it_defers_is_said_by_the_operator_or_else_by_airflow(ask: Ask) -> None:
    settings: list[dict[str, Any]] = [{}, {"deferrable": True}, {"deferrable": False}]
    assert ask("sink_deferrable", settings=settings) == [False, True, False]
    by_default = {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True"}
    assert ask("sink_deferrable", by_default, settings=settings) == [True, True, False]


def test_all_that_is_asked_reaches_the_audit(ask: Ask) -> None:
    settings = {
        "id_column": "order_id",
        "columns": {"amount": "details.price:decimal(12,2)"},
        "compare": "True",
        "expect": "event_type = 'search'",
        "expectations": ["totals.sql"],
        "order": "stored_at",
        "position": ["kafka_partition", "kafka_offset"],
        "scenario": "orders.yaml",
    }
    ((look),) = ask("audited", looks=[PASSED], **AT, **settings)["asked"]
    assert (look["topic"], look["place"], look["run_id"]) == ("t", "f.duckdb#t", "r")
    assert look["scenario"] == "orders.yaml"
    for part in (
        "id_column='order_id'",
        "stored='amount', sent='details.price', type='decimal(12,2)'",
        "compare=True",
        "event_type = 'search'",
        "totals.sql",
        "order='stored_at'",
        "position=('kafka_partition', 'kafka_offset')",
    ):
        assert part in look["asked"], part


def test_a_switch_or_a_duration_that_is_none_is_refused_in_words(ask: Ask) -> None:
    told = ask("audited", looks=[], **AT, compare="maybe")
    assert told["raised"] == "Misconfigured: compare is 'maybe'. It is true or false"
    told = ask("audited", looks=[], **AT, position=["kafka_partition"])
    assert told["raised"].startswith("Misconfigured: position is ['kafka_partition']. It is two columns")
    told = ask("audited", looks=[], **AT, wait="soon")
    assert told["raised"].startswith("Misconfigured: 'soon' is not a duration")


def test_every_setting_is_a_template(ask: Ask) -> None:
    names = ("at", "query", "id_column", "expect", "order", "scenario", "conn_id", "wait")
    settings = dict.fromkeys(names, "{{ params.x }}")
    more = {"columns": {"a": "{{ params.x }}:int"}, "expectations": ["{{ params.x }}.sql"], "compare": "{{ params.x }}"}
    found = ask("sink_rendered", settings=settings | more, params={"x": "y"})
    assert found == dict.fromkeys(names, "y") | {"columns": {"a": "y:int"}, "expectations": ["y.sql"], "compare": "y"}


CONNECTION = {
    "conn_type": "postgres",
    "host": "db.example.org",
    "port": 5433,
    "login": "reader",
    "password": "kept-secret",
    "schema": "shop",
    "extra": {"sslmode": "verify-full"},
}


def test_a_connection_of_airflow_is_the_database_and_its_password_is_masked(ask: Ask) -> None:
    env = {"AIRFLOW_CONN_SHOP": json.dumps(CONNECTION)}
    found = ask("sink_place", env, at="#public.orders", conn_id="shop")
    assert found["shown"] == "postgresql://reader@db.example.org:5433/shop#public.orders"
    assert found["address"]["password"] == "kept-secret"
    assert found["address"]["sslmode"] == "verify-full"
    assert found["masked"] == ["kept-secret"]
    queried = ask("sink_place", env, query="SELECT 1 AS event_id", conn_id="shop")
    assert queried["query"] == "SELECT 1 AS event_id"


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"at": "#t", "conn_id": "nobody"}, "Airflow has no connection 'nobody'"),
        ({"at": "postgresql://u@h/d#t", "conn_id": "shop"}, "the connection 'shop' and an address are given"),
        ({"conn_id": "shop"}, "neither a table nor a query is given"),
        ({"at": "#t", "query": "SELECT 1", "conn_id": "shop"}, "a table and a query are given"),
        ({}, "the place is empty"),
    ],
)
def test_a_place_that_is_none_is_refused_in_words(ask: Ask, settings: dict[str, Any], fault: str) -> None:
    env = {"AIRFLOW_CONN_SHOP": json.dumps(CONNECTION)}
    found = ask("sink_place", env, **settings)
    assert fault in found["error"]
    assert "kept-secret" not in found["error"]


def test_a_consumer_that_uses_confluents_client_reaches_a_registry_with_a_login_and_tls(ask: Ask) -> None:
    registry = {
        "conn_type": "schema_registry",
        "schema": "https",
        "host": "registry",
        "port": 8443,
        "login": "reader",
        "password": "kept-secret",
        "extra": {"path": "/apis/ccompat/v7", "ssl_ca_location": certifi.where(), "timeout_s": 9},
    }
    told = ask("sink_registry", {"AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT": json.dumps(registry)})
    assert told == {
        "url": "https://registry:8443/apis/ccompat/v7",
        "ssl.ca.location": certifi.where(),
        "basic.auth.user.info": "reader:kept-secret",
    }
