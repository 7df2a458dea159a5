"""What all operators promise: which errors are tried again, how they stop, where they connect to.

They are asked in a process that is of Airflow: see ``tests/kit/airflow_answers.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumer.sinks.duckdb.sink import DuckDBSink
from consumer.sinks.duckdb.warehouse import open_warehouse
from schemas.formats import WrittenSchema
from schemas.types.tree import parse
from tests.kit.airflow_process import airflow_process

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Put a question, by its name, with environment and arguments."""
    with airflow_process(tmp_path_factory.mktemp("airflow")) as process:
        yield process.ask


def test_terminal_errors_fail_at_once_and_transient_ones_are_tried_again(ask: Ask) -> None:
    actions = ask("retry_actions")
    assert actions["SchemaIncompatible"] == actions["Misconfigured"] == actions["Refused"] == "fail"
    assert actions["RecordsUndelivered"] == actions["VerdictFailed"] == actions["StoreFull"] == "fail"
    assert actions["BrokerUnreachable"] == actions["RegistryUnreachable"] == actions["WarehouseLocked"] == "default"
    # A broker that was away for longer than an event may wait: the next attempt sends what is missing.
    assert actions["DeliveryTimedOut"] == actions["LeaderMoving"] == "default"
    assert actions["Interrupted"] == actions["BrokerSilent"] == "default"
    # Generators have ended when an audit starts: what it does not know, it will not know later.
    assert actions["VerdictUnknown"] == "fail"


def test_every_operator_has_the_policy_mapped_ones_too(ask: Ask) -> None:
    policies = ask("operators_with_the_policy")
    assert len(policies) == 11
    assert all(policies.values()), policies


def test_a_task_that_is_killed_or_runs_out_of_time_asks_its_work_to_stop(ask: Ask) -> None:
    stopped = ask("stops")
    assert stopped == {"killed": True, "late": True, "calm": False}


def test_progress_is_said_now_and_then_not_each_time(ask: Ask) -> None:
    said = ask("said_in_twenty_seconds")
    assert said == [5, 10, 15, 20]


def test_a_generator_says_an_exact_rate_as_itself_and_how_much_of_how_much(ask: Ask) -> None:
    told = ask("generated", seconds=10.0, require_rate=0.95)
    assert told["raised"] == ""
    assert told["said"][1:] == [
        "2,500 of 5,000 acknowledged, 500/s as asked, on schedule, delay up to 21 ms",
        "5,000 of 5,000 acknowledged, 500/s as asked, on schedule, delay up to 21 ms",
        "Kafka acknowledged 5,000 events, at 500/s of 500/s asked (100.0 %)",
    ]


def test_a_generator_that_misses_its_rate_warns_of_it_and_fails_where_it_is_required(ask: Ask) -> None:
    warned = ask("generated", seconds=20.0, require_rate=None)
    assert "1,250 of 5,000 acknowledged, 250/s of 500/s asked, 2.5 s behind" in warned["said"][1]
    assert warned["said"][-1].startswith("the rate was missed, 251/s of 500/s asked (50.3 %): one process hands over")
    assert warned["raised"] == ""
    failed = ask("generated", seconds=20.0, require_rate=0.95)
    assert failed["raised"].startswith("RateMissed: 95.0 % of the rate was required, 251/s of 500/s asked (50.3 %)")


def test_a_report_is_red_where_nobody_knows_whether_the_run_went_on_since_its_audit(ask: Ask) -> None:
    assert ask("reported", published=True) == {"raised": "BrokerUnreachable: no broker answers", "pages": 1}
    # Nothing is gained by asking again where readers do not have the run: it is red in any case.
    assert ask("reported", published=False)["raised"].startswith("VerdictFailed: As it is")


@pytest.mark.parametrize(
    ("kind", "hint", "there"),
    [
        (
            "Interrupted",
            "The same command with --run-id d/manual__1+1 continues",
            "Clearing the task with what is downstream continues",
        ),
        (
            "RecordsUndelivered",
            "Raise max.message.bytes, then the same command with --run-id d/manual__1+1 sends what is missing",
            "Raise max.message.bytes, then clearing the task with what is downstream sends what is missing",
        ),
    ],
)
def test_a_task_that_ended_tells_what_to_do_in_airflow_and_no_lines_of_code(
    ask: Ask, kind: str, hint: str, there: str
) -> None:
    told = ask("ended", kind=kind, hint=hint)
    assert told == {
        "kept": f"it ended. {there}",
        "raised": f"it ended (run d/manual__1+1). {there}",
        "in_work": False,
    }


def test_airflow_connections_become_the_one_typed_setting(ask: Ask) -> None:
    kafka = {
        "bootstrap.servers": "broker:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "PLAIN",
        "sasl.username": "u",
        "sasl.password": "kept-secret",
    }
    registry = {
        "conn_type": "http",
        "schema": "https",
        "host": "registry",
        "port": 8443,
        "login": "reader",
        "password": "hidden",
        "extra": {"path": "/apis/ccompat/v7", "timeout_s": 9},
    }
    env = {
        "AIRFLOW_CONN_KAFKA_DEFAULT": json.dumps({"conn_type": "kafka", "extra": kafka}),
        "AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT": json.dumps(registry),
    }
    librdkafka, settings, shown = ask("connected", env)
    verified = {"enable.ssl.certificate.verification": True, "ssl.endpoint.identification.algorithm": "https"}
    assert kafka.pop("sasl.mechanisms") == librdkafka.pop("sasl.mechanism")
    assert librdkafka == kafka | verified | {"security.protocol": "sasl_ssl"}
    assert settings["url"] == "https://registry:8443/apis/ccompat/v7"
    assert (settings["username"], settings["timeout_s"]) == ("reader", 9)
    assert "kept-secret" not in shown
    assert "hidden" not in shown


def test_every_secret_is_masked_in_the_log_of_the_task_also_one_from_a_file(ask: Ask, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text("from-a-file")
    kafka = {
        "bootstrap.servers": "broker:9093",
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password.file": str(file),
    }
    env = {
        "AIRFLOW_CONN_KAFKA_DEFAULT": json.dumps({"conn_type": "kafka", "extra": kafka}),
        "AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT": (
            '{"conn_type": "http", "schema": "https", "host": "r", "extra": {"bearer_token": "a-token"}}'
        ),
    }
    masked = ask("masked", env)
    assert masked == ["from-a-file", "a-token"]


def test_plaintext_to_another_machine_is_allowed_by_the_extra_or_by_the_variable(ask: Ask) -> None:
    plain = '{"conn_type": "kafka", "extra": {"bootstrap.servers": "b:1"}}'
    said = '{"conn_type": "kafka", "extra": {"bootstrap.servers": "b:1", "allow_plaintext": true}}'
    registry = '{"conn_type": "http", "host": "r", "extra": {"allow_plaintext": true}}'
    by_extra = ask("connected", {"AIRFLOW_CONN_KAFKA_DEFAULT": said, "AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT": registry})
    assert by_extra[0]["bootstrap.servers"] == "b:1"
    env = {
        "AIRFLOW_CONN_KAFKA_DEFAULT": plain,
        "AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT": '{"conn_type": "http", "host": "r"}',
        "STREAMPROOF_ALLOW_PLAINTEXT": "true",
    }
    by_variable = ask("connected", env)
    assert by_variable[0] == by_extra[0]


@pytest.mark.parametrize(
    ("kafka", "fault"),
    [
        (
            '{"conn_type": "kafka", "extra": {"bootstrap.servers": "b:1", "group.id": "g"}}',
            "group_id is an unknown setting",
        ),
        ('{"conn_type": "kafka", "extra": {}}', "bootstrap_servers"),
        ('{"conn_type": "kafka", "extra": {"bootstrap.servers": "b:1"}}', "unencrypted to b:1"),
        (
            '{"conn_type": "kafka", "extra": {"bootstrap.servers": "b:1", "enable.ssl.certificate.verification": 0}}',
            "enable_ssl_certificate_verification is an unknown setting",
        ),
        ("", "Airflow has no connection 'kafka_default'"),
    ],
)
def test_a_connection_that_cannot_be_used_says_what_is_wrong(ask: Ask, kafka: str, fault: str) -> None:
    environment = {"AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT": '{"conn_type": "http", "schema": "https", "host": "r"}'}
    if kafka:
        environment["AIRFLOW_CONN_KAFKA_DEFAULT"] = kafka
    told = ask("connected", environment)
    assert isinstance(told, str), told
    assert fault in told


@pytest.mark.parametrize(
    ("told", "kafka", "registry"),
    [
        (
            {"AIRFLOW_CONN_KAFKA_DEFAULT": '{"conn_type": "kafka", "extra": {"bootstrap.servers": "localhost:1"}}'},
            "localhost:1",
            "Airflow has no connection 'schema_registry_default'",
        ),
        (
            {"AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT": '{"conn_type": "http", "host": "localhost", "port": 1}'},
            "Airflow has no connection 'kafka_default'",
            "http://localhost:1",
        ),
    ],
)
def test_a_step_misses_a_connection_only_when_it_asks_for_it(ask: Ask, told: Any, kafka: str, registry: str) -> None:
    found = ask("addresses", told)
    assert found["kafka"].startswith(kafka)
    assert found["registry"].startswith(registry)
    assert found["said"] == f"Kafka at {kafka}" if kafka == "localhost:1" else f"registry at {registry}"
    missing = found["kafka"] if kafka.startswith("Airflow") else found["registry"]
    assert "Create it under Admin > Connections" in missing


def test_the_button_of_the_connections_page_asks_the_registry_and_needs_no_kafka(ask: Ask) -> None:
    told = '{"conn_type": "schema_registry", "host": "127.0.0.1", "port": 9}'
    answers, words = ask("tested", {"AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT": told})
    assert not answers
    assert "127.0.0.1:9" in words


def test_the_plan_tells_each_shard_what_the_scenario_needs(ask: Ask) -> None:
    asked = [
        ("clickstream", {"rate": None, "users": 300, "shards": 3}),
        ("clickstream", {"rate": None, "no_delay": True, "seconds": 5}),
        ("customer_events", {"events": 500, "time_compression": 7200, "rate": 100, "faults": "duplicate=3"}),
    ]
    visitors, hurried, customers = ask("plans", asked=asked)
    assert [shard["shard"] for shard in visitors] == [0, 1, 2]
    assert all(
        (shard["scenario"], shard["options"], shard["shards"]) == ("clickstream", {"users": 300}, 3)
        for shard in visitors
    )
    # 125 a second and shard, as visitors would; without their delays there is no pace to keep.
    assert {shard["rate"] for shard in visitors} == {375}
    assert [(shard["rate"], shard["options"]) for shard in hurried] == [(0, {"no_delay": 1})] * 2
    assert customers[1]["options"] == {"time_compression": 7200}
    assert customers[1]["faults"] == ["duplicate=3"]


REFUSED = (
    ("customer_events", {"users": 5}, "unknown key 'users': scenario customer_events takes no option users"),
    ("customer_events", {"no_delay": True}, "takes no option no_delay"),
    ("clickstream", {"time_compression": 60}, "scenario clickstream takes no option time_compression"),
    ("customer_events", {"time_compression": 60, "rate": 0}, "needs a number above 0 and a rate"),
    ("customer_events", {"schema_version": 9}, "contract customer_events has no version 9"),
    ("clickstream", {"next_version_share": 0.5}, "contract clickstream has no version 2: there is no next one"),
    ("customer_events", {"next_version_ramp": True, "rate": 0}, "needs a number of events"),
    ("clickstream", {"fault_hot_key": 1, "events": 1000}, "is too few events to stand out"),
    ("customer_events", {"catch_up": "skip", "rate": None}, "catch-up skip needs a rate or a shape"),
    ("customer_events", {"rtae": 5}, "unknown key 'rtae', did you mean 'rate'?"),
    ("customer_events", {"scenario": "clickstream"}, "unknown key 'scenario'"),
)


def test_the_plan_refuses_what_the_scenario_does_not_take(ask: Ask) -> None:
    asked = [(scenario, params) for scenario, params, _ in REFUSED]
    for told, (_, _, fault) in zip(ask("plans", asked=asked), REFUSED, strict=True):
        assert fault in told


def test_the_gate_is_for_the_contract_of_the_scenario_also_of_one_in_a_file(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "order.avsc").write_text(
        '{"type": "record", "name": "Order", "fields": [{"name": "total", "type": "int"}]}'
    )
    (tmp_path / "orders.yaml").write_text("schema: order.avsc")
    (tmp_path / "plain.yaml").write_text("schema: order.avsc\nformat: plain-json")
    (tmp_path / "json.yaml").write_text("schema: order.avsc\nformat: json")
    scenarios: tuple[dict[str, Any], ...] = (
        {},
        {"scenario": "clickstream"},
        {"scenario": str(tmp_path / "orders.yaml")},
        {"scenario": str(tmp_path / "plain.yaml")},  # its values name no schema: nothing is registered
        {"scenario": str(tmp_path / "json.yaml")},
        {"scenario": "clickstream", "contract": "customer_events"},
    )
    asked = [(name, written) for name, _, written, _ in ask("gated", asked=[(settings, {}) for settings in scenarios])]
    assert asked == [
        ("customer_events", "avro"), ("clickstream", "avro"), ("order", "avro"), ("order", "json"),
        ("customer_events", "avro"),
    ]  # fmt: skip


def test_the_gate_registers_all_versions_that_the_run_writes_and_the_next_one_only_if_it_is_mixed_in(ask: Ask) -> None:
    off = {"schema_version": None, "next_version_share": 0, "next_version_ramp": False}
    mixed: tuple[dict[str, Any], ...] = (
        {"next_version_share": 0.2},
        {"next_version_ramp": True},
        {"schema_version": 2},
        {"schema_version": 1, "next_version_ramp": True},
    )
    runs = [*(off | params for params in mixed), off, {}]
    registered = [up_to for _, up_to, *_ in ask("gated", asked=[({}, params) for params in runs])]
    assert registered == [2, 2, 2, 2, None, None]


def test_gate_and_generators_ask_the_warehouse_that_is_loaded_and_wait_for_nobody(ask: Ask, tmp_path: Path) -> None:
    there, busy = tmp_path / "there.duckdb", tmp_path / "busy.duckdb"
    text = '{"type": "record", "name": "R", "fields": [{"name": "amount", "type": "long"}]}'
    for path in (there, busy):
        with open_warehouse(path, topic="t") as warehouse:
            sink = DuckDBSink(warehouse)
            sink.adopt(7, parse(text))
            sink.keep_schema(7, WrittenSchema(text), None)
    warehouses = [str(path) for path in (there, busy, tmp_path / "none.duckdb")]
    settings: list[tuple[dict[str, str], dict[str, Any]]] = [({"warehouse": path}, {}) for path in warehouses]
    with open_warehouse(busy, topic="t"):
        columns = [columns for *_, columns in ask("gated", asked=settings)]
        # A generator may be used without a gate before it.
        generators = ask("table_of_generator", warehouses=warehouses)
    assert columns == [found for found, _ in generators] == [["amount"], [], []]
    assert [len(warned) for _, warned in generators] == [0, 1, 0]
    assert f"{busy} was not asked what it holds: " in generators[1][1][0]
    assert not (tmp_path / "none.duckdb").exists()


def test_the_generators_of_a_replay_have_one_clock_that_begins_with_the_first_click(ask: Ask, tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = [{}, {"speed": "60"}, {"speed": "60", "rate": "5"}]
    fast, timed, both = ask("replay_planned", env={"STREAMPROOF_STATE_DIR": str(tmp_path)}, asked=asked)
    assert [(each["topic"], each["shard"]["shard"]) for each in fast] == [("c", 0), ("c", 1), ("a", 0)]
    assert all("speed" not in each["shard"]["options"] for each in fast)
    options = [each["shard"]["options"] for each in timed]
    assert {(each["speed"], each["order"]) for each in options} == {(60, "time")}
    assert len({each["clock_from"] for each in options}) == 1
    assert options[0]["clock_from"].startswith("15068268"), "the first click, not an article of years before"
    assert options[0]["alongside"] == options[1]["alongside"] != options[2]["alongside"]
    assert "speed sends events at their own times" in both
