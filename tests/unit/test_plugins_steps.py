"""What all operators promise: which errors are tried again, how they stop, where they connect to.

Airflow takes its settings when it is first imported, so each question is put to a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster.local import PROJECT_ROOT

Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Run a script in which ``answer(value)`` gives a value back."""

    def run(script: str, **environment: str) -> Any:
        told = "import json\n\ndef answer(value):\n    print('\\n' + json.dumps(value))\n\n" + script
        env = os.environ | {"AIRFLOW_HOME": str(tmp_path / "airflow"), "PYTHONPATH": str(PROJECT_ROOT)} | environment
        done = subprocess.run(
            [sys.executable, "-c", told], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_terminal_errors_fail_at_once_and_transient_ones_are_tried_again(ask: Ask) -> None:
    actions = ask(
        """
from cluster import errors
from plugins.step import RETRY_POLICY

kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.StreamproofError)]
answer({kind.__name__: RETRY_POLICY.evaluate(kind("x"), 1, 3).action.value for kind in kinds})
"""
    )
    assert actions["SchemaIncompatible"] == actions["Misconfigured"] == actions["Refused"] == "fail"
    assert actions["RecordsUndelivered"] == actions["VerdictFailed"] == actions["StoreFull"] == "fail"
    assert actions["BrokerUnreachable"] == actions["RegistryUnreachable"] == actions["WarehouseLocked"] == "default"
    assert actions["Interrupted"] == actions["BrokerSilent"] == "default"
    # Generators have ended when an audit starts: what it does not know, it will not know later.
    assert actions["VerdictUnknown"] == "fail"


def test_every_operator_has_the_policy_mapped_ones_too(ask: Ask) -> None:
    policies = ask(
        """
from airflow.sdk import DAG
from plugins import operators
from plugins.step import RETRY_POLICY, StreamproofOperator

kinds = [kind for kind in vars(operators).values()
         if isinstance(kind, type) and issubclass(kind, StreamproofOperator) and kind.__module__ == operators.__name__]
with DAG("policies"):
    steps = [kind(task_id=kind.__name__, **({"shard": {}} if "Shard" in kind.__name__ else {})) for kind in kinds]
    mapped = operators.GenerateShardOperator.partial(task_id="mapped").expand(shard=[{}])
    steps.append(mapped.unmap({"shard": {}}))
answer({step.task_id: step.retry_policy is RETRY_POLICY for step in steps})
"""
    )
    assert len(policies) == 10
    assert all(policies.values()), policies


def test_a_task_that_is_killed_or_runs_out_of_time_asks_its_work_to_stop(ask: Ask) -> None:
    stopped = ask(
        """
from datetime import timedelta
from plugins import step
from plugins.operators import LoadOperator

killed = LoadOperator(task_id="killed", topic="t", run_id="r")
killed.on_kill()
step.STOP_BEFORE_TIMEOUT_S = 9.95
late = LoadOperator(task_id="late", topic="t", run_id="r", execution_timeout=timedelta(seconds=10))
with late.stopping() as stop:
    late_stopped = stop.wait(5)
calm = LoadOperator(task_id="calm", topic="t", run_id="r", execution_timeout=timedelta(hours=1))
with calm.stopping() as stop:
    calm_stopped = stop.is_set()
answer({"killed": killed.stop.is_set(), "late": late_stopped, "calm": calm_stopped})
"""
    )
    assert stopped == {"killed": True, "late": True, "calm": False}


def test_progress_is_said_now_and_then_not_each_time(ask: Ask) -> None:
    said = ask(
        """
from plugins import step

now = [0.0]
step.time.monotonic = lambda: now[0]
said = []
say = step.every(5.0, said.append)
for second in range(0, 21):
    now[0] = float(second)
    say(second)
answer(said)
"""
    )
    assert said == [5, 10, 15, 20]


CONNECT = """
from cluster.errors import Misconfigured
from plugins.hooks import connect

try:
    found = connect()
    answer([found.kafka.as_librdkafka(), found.registry.model_dump(mode="json"), repr(found)])
except Misconfigured as error:
    answer(str(error))
"""


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
    librdkafka, settings, shown = ask(
        CONNECT,
        AIRFLOW_CONN_KAFKA_DEFAULT=json.dumps({"conn_type": "kafka", "extra": kafka}),
        AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT=json.dumps(registry),
    )
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
    masked = ask(
        """
from plugins import hooks

masked = []
hooks.mask_secret = masked.append
hooks.connect()
answer(masked)
""",
        AIRFLOW_CONN_KAFKA_DEFAULT=json.dumps({"conn_type": "kafka", "extra": kafka}),
        AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT=(
            '{"conn_type": "http", "schema": "https", "host": "r", "extra": {"bearer_token": "a-token"}}'
        ),
    )
    assert masked == ["from-a-file", "a-token"]


def test_plaintext_to_another_machine_is_allowed_by_the_extra_or_by_the_variable(ask: Ask) -> None:
    plain = '{"conn_type": "kafka", "extra": {"bootstrap.servers": "b:1"}}'
    said = '{"conn_type": "kafka", "extra": {"bootstrap.servers": "b:1", "allow_plaintext": true}}'
    registry = '{"conn_type": "http", "host": "r", "extra": {"allow_plaintext": true}}'
    by_extra = ask(CONNECT, AIRFLOW_CONN_KAFKA_DEFAULT=said, AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT=registry)
    assert by_extra[0]["bootstrap.servers"] == "b:1"
    by_variable = ask(
        CONNECT,
        AIRFLOW_CONN_KAFKA_DEFAULT=plain,
        AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT='{"conn_type": "http", "host": "r"}',
        STREAMPROOF_ALLOW_PLAINTEXT="true",
    )
    assert by_variable[0] == by_extra[0]


@pytest.mark.parametrize(
    ("kafka", "fault"),
    [
        ('{"conn_type": "kafka", "extra": {"bootstrap.servers": "b:1", "group.id": "g"}}', "kafka_group_id"),
        ('{"conn_type": "kafka", "extra": {}}', "kafka_bootstrap_servers"),
        ('{"conn_type": "kafka", "extra": {"bootstrap.servers": "b:1"}}', "unencrypted to b:1"),
        (
            '{"conn_type": "kafka", "extra": {"bootstrap.servers": "b:1", "enable.ssl.certificate.verification": 0}}',
            "kafka_enable_ssl_certificate_verification",
        ),
        ("", "Airflow has no connection 'kafka_default'"),
    ],
)
def test_a_connection_that_cannot_be_used_says_what_is_wrong(ask: Ask, kafka: str, fault: str) -> None:
    environment = {"AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT": '{"conn_type": "http", "host": "r"}'}
    if kafka:
        environment["AIRFLOW_CONN_KAFKA_DEFAULT"] = kafka
    # Without a metadata database, Airflow looks for a connection in the environment only.
    environment["AIRFLOW__SECRETS__USE_CACHE"] = "False"
    told = ask(CONNECT, **environment)
    assert isinstance(told, str), told
    assert fault in told


PLAN = """
from types import SimpleNamespace
from cluster.errors import Misconfigured
from plugins.operators import PlanOperator

def plan(of, /, **params):
    operator = PlanOperator(task_id="plan", topic="t", run_id="r", scenario=of)
    object.__setattr__(operator, "connection", lambda: SimpleNamespace(registry=None))
    try:
        return operator.execute({"params": params})
    except Misconfigured as fault:
        return str(fault)
"""


def test_the_plan_tells_each_shard_what_the_scenario_needs(ask: Ask) -> None:
    visitors, hurried, customers = ask(
        PLAN
        + """
answer([
    plan("clickstream", rate=None, users=300, shards=3),
    plan("clickstream", rate=None, no_delay=True, seconds=5),
    plan("customer_events", events=500, time_compression=7200, rate=100, faults="duplicate=3"),
])
"""
    )
    assert [shard["shard"] for shard in visitors] == [0, 1, 2]
    assert all((shard["scenario"], shard["users"], shard["shards"]) == ("clickstream", 300, 3) for shard in visitors)
    # 125 a second and shard, as visitors would; without their delays there is no pace to keep.
    assert {shard["rate"] for shard in visitors} == {375}
    assert {(shard["rate"], shard["no_delay"]) for shard in hurried} == {(0, True)}
    assert customers[1]["time_compression"] == 7200
    assert customers[1]["faults"] == ["duplicate=3"]


REFUSED = (
    ('"customer_events", users=5', "scenario customer_events takes no option users. Options that it takes: time_"),
    ('"customer_events", no_delay=True', "takes no option no_delay"),
    ('"clickstream", time_compression=60', "scenario clickstream takes no option time_compression"),
    ('"customer_events", time_compression=60, rate=0', "needs a number above 0 and a rate"),
    ('"customer_events", schema_version=9', "contract customer_events has no version 9"),
    ('"clickstream", next_version_share=0.5', "contract clickstream has no version 2"),
    ('"customer_events", next_version_ramp=True, rate=0', "needs a number of events"),
    ('"clickstream", fault_hot_key=1, events=1000', "is too few events to stand out"),
    ('"customer_events", catch_up="skip", rate=None', "catch-up skip needs a rate or a shape"),
    ('"customer_events", rtae=5', "unknown key 'rtae', did you mean 'rate'?"),
    ('"customer_events", scenario="clickstream"', "unknown key 'scenario'"),
)


def test_the_plan_refuses_what_the_scenario_does_not_take(ask: Ask) -> None:
    asked = ", ".join(f"plan({asked})" for asked, _ in REFUSED)
    for told, (_, fault) in zip(ask(f"{PLAN}\nanswer([{asked}])\n"), REFUSED, strict=True):
        assert fault in told


GATE = """
from types import SimpleNamespace
import schemas.registry
from plugins.operators import SchemaGateOperator

asked = []

class Nowhere:
    def __init__(self, *_): pass
    def __enter__(self): return self
    def __exit__(self, *_): pass

def gate(registry, contract, subject, *, up_to):
    asked.append((contract.name, up_to))
    return SimpleNamespace(versions=(), subject=subject, current=None)

schemas.registry.Registry, schemas.registry.gate = Nowhere, gate

def gated(params, **more):
    operator = SchemaGateOperator(task_id="gate", topic="t", **more)
    object.__setattr__(operator, "connection", lambda: SimpleNamespace(registry=None))
    operator.execute({"params": params})
"""


def test_the_gate_is_for_the_contract_of_the_scenario_also_of_one_in_a_file(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "order.avsc").write_text(
        '{"type": "record", "name": "Order", "fields": [{"name": "total", "type": "int"}]}'
    )
    (tmp_path / "orders.yaml").write_text("schema: order.avsc")
    asked = ask(
        GATE
        + f"""
for more in ({{}}, {{"scenario": "clickstream"}}, {{"scenario": {str(tmp_path / "orders.yaml")!r}}},
             {{"scenario": "clickstream", "contract": "customer_events"}}):
    gated({{}}, **more)
answer([name for name, _ in asked])
"""
    )
    assert asked == ["customer_events", "clickstream", "order", "customer_events"]


def test_the_gate_registers_all_versions_that_the_run_writes_and_the_next_one_only_if_it_is_mixed_in(ask: Ask) -> None:
    registered = ask(
        GATE
        + """
off = {"schema_version": None, "next_version_share": 0, "next_version_ramp": False}
for params in ({"next_version_share": 0.2}, {"next_version_ramp": True}, {"schema_version": 2},
               {"schema_version": 1, "next_version_ramp": True}):
    gated(off | params)
gated(off)
gated({})
answer([up_to for _, up_to in asked])
"""
    )
    assert registered == [2, 2, 2, 2, None, None]
