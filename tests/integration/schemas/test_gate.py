"""The schema gate on a real registry: what fits is registered, what does not keeps everything out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.connection import Connection
from cluster.errors import Misconfigured, SchemaIncompatible
from schemas.formats import WrittenSchema
from schemas.formats.avro.codec import Decoder, Encoder
from schemas.formats.json.json_schema import DIALECT
from schemas.registry.contract import Contract, load_contract
from schemas.registry.gate import Registry, UnknownSchema, gate, inspect_subject
from schemas.undecodable import UnsupportedSchema
from tests.kit.commands import streamproof

CONTRACT = load_contract("customer_events")


@pytest.fixture(scope="module")
def registry(connection: Connection) -> Iterator[Registry]:
    """One client for the module."""
    with Registry(connection.registry) as client:
        yield client


@pytest.fixture
def subject(topic_name: Callable[[str], str]) -> str:
    """A subject that nobody used."""
    return f"{topic_name('gate')}-value"


@pytest.fixture
def contract(tmp_path: Path) -> Callable[..., Contract]:
    """A factory of contracts from schemas; all versions are active."""

    def make(*versions: dict[str, Any], compatibility: str = "BACKWARD") -> Contract:
        home = tmp_path / "c"
        home.mkdir(exist_ok=True)
        for number, schema in enumerate(versions, 1):
            (home / f"v{number}.avsc").write_text(json.dumps(schema))
        (home / "contract.yaml").write_text(f"compatibility: {compatibility}\nactive: {len(versions)}\n")
        return load_contract("c", tmp_path)

    return make


def record(**fields: Any) -> dict[str, Any]:
    listed = [{"name": n, **(t if isinstance(t, dict) else {"type": t})} for n, t in fields.items()]
    return {"type": "record", "name": "R", "namespace": "gate.test", "fields": listed}


ONE = record(a="int")
OPTIONAL = record(a="int", b={"type": "string", "default": ""})
BARE = record(a="int", b="string")


def command(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run ``streamproof schemas ... --json``."""
    ended = streamproof("schemas", *arguments, "--json")
    return ended.exit_code, ended.document, ended.text


def test_the_first_version_is_registered_and_a_second_run_changes_nothing(registry, subject):
    first = gate(registry, CONTRACT, subject)
    assert [(v.version, v.status) for v in first.versions] == [(1, "registered")]
    assert first.current is not None
    assert first.current.version == 1
    assert registry.compatibility(subject) == CONTRACT.compatibility
    second = gate(registry, CONTRACT, subject)
    assert [(v.version, v.status, v.used) for v in second.versions] == [(1, "present", first.current)]
    assert len(registry.versions(subject)) == 1


def test_the_registered_text_encodes_and_decodes(registry, subject):
    used = gate(registry, CONTRACT, subject).current
    assert used is not None
    text = registry.schema_text(used.id)
    assert (
        Encoder(text, used.id).arrow_schema
        == Decoder(text).arrow_schema
        == Decoder(CONTRACT.version(1).text).arrow_schema
    )


@pytest.mark.parametrize("level", ["BACKWARD", "FORWARD", "FULL", "FULL_TRANSITIVE"])
def test_the_evolution_of_customer_events_fits_under_every_level(registry, subject, level):
    gate(registry, CONTRACT, subject, level=level)
    result = gate(registry, CONTRACT, subject, up_to=2, level=level)
    assert [(v.version, v.status) for v in result.versions] == [(1, "present"), (2, "registered")]
    assert {(c.path, c.kind) for c in result.versions[1].changes} == {
        ("experiment", "added"),
        ("client_sent_at", "added"),
    }
    assert [version.version for version in registry.versions(subject)] == [1, 2]


@pytest.mark.parametrize(
    ("level", "older", "newer", "fits"),
    [
        ("BACKWARD", ONE, BARE, False),
        ("BACKWARD", BARE, ONE, True),
        ("BACKWARD_TRANSITIVE", ONE, BARE, False),
        ("FORWARD", ONE, BARE, True),
        ("FORWARD", BARE, ONE, False),
        ("FORWARD_TRANSITIVE", BARE, ONE, False),
        ("FULL", ONE, BARE, False),
        ("FULL", BARE, ONE, False),
        ("FULL", ONE, OPTIONAL, True),
        ("FULL_TRANSITIVE", ONE, BARE, False),
        ("NONE", ONE, record(a="string"), True),
    ],
)
def test_each_level_decides_as_the_registry_does(registry, subject, contract, level, older, newer, fits):
    gate(registry, contract(older, compatibility=level), subject)
    assert (registry.compatible(subject, json.dumps(newer)) == []) is fits
    both = contract(older, newer, compatibility=level)
    if fits:
        assert gate(registry, both, subject, column_conflicts="warn").versions[1].status == "registered"
    else:
        with pytest.raises(SchemaIncompatible, match=r"v2: b: .*readers of the (new|old) schema fail"):
            gate(registry, both, subject)
    assert len(registry.versions(subject)) == 1 + fits


def test_a_transitive_level_looks_past_the_last_version(registry, subject, contract):
    # b goes, and comes back as another type: each step fits the one before it, the third does not fit the first.
    steps = (
        record(a="int", b={"type": "string", "default": ""}),
        ONE,
        record(a="int", b={"type": "int", "default": 0}),
    )
    gate(registry, contract(*steps[:2], compatibility="BACKWARD_TRANSITIVE"), subject)
    with pytest.raises(SchemaIncompatible, match="v3: b: string is not readable as int"):
        gate(registry, contract(*steps, compatibility="BACKWARD_TRANSITIVE"), subject)
    gate(registry, contract(*steps, compatibility="BACKWARD"), subject, level="BACKWARD", column_conflicts="warn")
    assert len(registry.versions(subject)) == 3


def test_one_version_that_does_not_fit_keeps_all_new_ones_out(registry, subject, contract):
    with pytest.raises(SchemaIncompatible, match="v3: b: "):
        gate(registry, contract(ONE, OPTIONAL, record(a="int", b="int")), subject)
    assert registry.versions(subject) == []
    assert registry.compatibility(subject) is None


def test_a_reformatted_file_is_the_same_schema(registry, subject, contract):
    gate(registry, contract(OPTIONAL), subject)
    turned = {key: OPTIONAL[key] for key in reversed(OPTIONAL)} | {"name": "gate.test.R"}
    turned.pop("namespace")
    turned["fields"] = [{key: field[key] for key in reversed(field)} for field in turned["fields"]]
    turned["fields"][0]["type"] = {"type": "int"}
    result = gate(registry, contract(turned), subject)
    assert result.versions[0].status == "present"
    assert len(registry.versions(subject)) == 1


def test_somebody_elses_version_is_shown_and_built_upon_if_it_fits(registry, subject, contract):
    gate(registry, contract(ONE), subject)
    registry.register(subject, json.dumps(record(a="int", theirs={"type": "int", "default": 0})))
    seen = inspect_subject(registry, contract(ONE, OPTIONAL), subject)
    assert [(v.used.version, v.reasons) for v in seen.unknown] == [(2, ())]
    gate(registry, contract(ONE, OPTIONAL), subject)
    assert len(registry.versions(subject)) == 3


def test_somebody_elses_version_that_cannot_read_ours_is_refused(registry, subject, contract):
    registry.set_compatibility(subject, "NONE")
    registry.register(subject, json.dumps(ONE))
    registry.register(subject, json.dumps(BARE))
    with pytest.raises(SchemaIncompatible, match="registry version 2: b: missing"):
        gate(registry, contract(ONE), subject)
    assert len(registry.versions(subject)) == 2


def test_a_level_is_not_loosened_unless_asked(registry, subject, contract):
    gate(registry, contract(ONE, compatibility="FULL"), subject)
    with pytest.raises(Misconfigured, match="held to FULL, which FORWARD would loosen"):
        gate(registry, contract(ONE, compatibility="FORWARD"), subject)
    assert registry.compatibility(subject) == "FULL"
    gate(registry, contract(ONE), subject, level="FORWARD")
    assert registry.compatibility(subject) == "FORWARD"


def test_an_id_that_was_never_given_is_unknown(registry):
    with pytest.raises(UnknownSchema):
        registry.schema_text(999_999)


def test_a_schema_that_is_not_avro_is_rejected_by_the_registry(registry, subject):
    with pytest.raises(Misconfigured, match="HTTP 422"):
        registry.register(subject, "{nope")
    assert registry.versions(subject) == []


def test_the_commands_print_one_document(stack, topic_name):
    topic = topic_name("cli")
    code, document, _ = command("diff", "customer_events", "--topic", topic, "--up-to", "2")
    assert (code, document["subject"], document["compatible"]) == (0, f"{topic}-value", True)
    assert [version["status"] for version in document["versions"]] == ["missing", "missing"]
    code, document, _ = command("gate", "customer_events", "--topic", topic)
    assert (code, document["versions"][0]["status"], document["versions"][0]["registry_version"]) == (
        0,
        "registered",
        1,
    )
    code, document, _ = command("gate", "customer_events", "--topic", topic)
    assert (code, document["versions"][0]["status"]) == (0, "present")


def test_a_diff_ends_with_65_for_ci_where_it_finds_something(stack, topic_name, tmp_path):
    topic = topic_name("cli")
    code, document, _ = command("diff", "customer_events", "--topic", topic, "--exit-code")
    assert (code, document["error"]["kind"], document["versions"][0]["status"]) == (65, "SchemaIncompatible", "missing")
    assert command("gate", "customer_events", "--topic", topic)[0] == 0
    assert command("diff", "customer_events", "--topic", topic, "--exit-code")[0] == 0
    (tmp_path / "one.avsc").write_text(json.dumps(record(event_id="int")))
    code, document, _ = command("diff", str(tmp_path / "one.avsc"), "--topic", topic)
    assert (code, document["compatible"]) == (0, False)
    assert command("diff", str(tmp_path / "one.avsc"), "--topic", topic, "--exit-code")[0] == 65


def test_a_file_without_a_topic_is_told_whose_subject_it_gets(stack, topic_name, tmp_path):
    name = topic_name("file")
    (tmp_path / f"{name}.avsc").write_text(json.dumps(ONE))
    ended = streamproof("schemas", "gate", str(tmp_path / f"{name}.avsc"))
    assert ended.exit_code == 0
    assert f"No --topic: the subject is {name}-value" in ended.text
    assert "No --topic" not in streamproof("schemas", "gate", str(tmp_path / f"{name}.avsc"), "--topic", name).text


def test_a_column_that_conflicts_is_refused_by_gate_and_producer_until_somebody_allows_it(
    connection, topic_name, tmp_path
):
    topic = topic_name("cli")
    streamproof("topics", "apply", "--topic", topic)
    (tmp_path / "money.avsc").write_text(json.dumps(record(a="int", amount="double")))
    (tmp_path / "money.yaml").write_text("schema: money.avsc")
    with Registry(connection.registry) as registry:
        registry.set_compatibility(f"{topic}-value", "NONE")
        registry.register(f"{topic}-value", json.dumps(record(a="int", amount="long")))
    asked = ("gate", str(tmp_path / "money.avsc"), "--topic", topic, "--compatibility", "NONE")
    code, document, printed = command(*asked)
    assert (code, document["error"]["kind"]) == (65, "SchemaIncompatible")
    assert "amount: " in printed
    assert "amount_2" in printed
    code, document, _ = command(*asked, "--column-conflicts", "warn")
    assert (code, document["versions"][0]["status"]) == (0, "registered")
    assert "amount_2" in document["versions"][0]["remarks"][0]
    send = ("produce", str(tmp_path / "money.yaml"), "--topic", topic, "--events", "20", "--json")
    refused = streamproof(*send)
    assert (refused.exit_code, refused.document["error"]["kind"]) == (65, "SchemaIncompatible")
    assert "amount_2" in refused.text
    assert streamproof(*send, "--column-conflicts", "warn").exit_code == 0
    assert streamproof(*send, env={"STREAMPROOF_COLUMN_CONFLICTS": "warn"}).exit_code == 0
    assert streamproof(*send, "--column-conflicts", "no").exit_code == 78


def test_local_and_registered_versions_are_told_apart_and_compared_once(connection, topic_name, tmp_path):
    topic = topic_name("cli")
    (tmp_path / "one.avsc").write_text(json.dumps(OPTIONAL))
    with Registry(connection.registry) as registry:
        registry.register(f"{topic}-value", json.dumps(ONE))
    shown = streamproof("schemas", "diff", str(tmp_path / "one.avsc"), "--topic", topic).text
    assert "local v1 is not registered; changes from registry version 1 (id " in shown
    assert "registry version 1 (id" in shown
    assert shown.count("added") == 1
    assert "removed" not in shown


def test_the_command_refuses_with_65_and_names_the_field(connection, topic_name):
    topic = topic_name("cli")
    with Registry(connection.registry) as registry:
        other = CONTRACT.version(1).schema | {"fields": record(event_id="int")["fields"]}
        registry.register(f"{topic}-value", json.dumps(other))
        code, document, printed = command("gate", "customer_events", "--topic", topic)
        assert (code, document["error"]["kind"]) == (65, "SchemaIncompatible")
        assert "event_id: int is not readable as string" in printed
        assert len(registry.versions(f"{topic}-value")) == 1


@pytest.mark.parametrize(
    ("arguments", "exit_code", "kind"),
    [
        (["gate", "customer_events", "--registry-url", "http://127.0.0.1:1"], 69, "RegistryUnreachable"),
        (["gate", "customer_event"], 78, "Misconfigured"),
        (["gate", "customer_events", "--up-to", "9"], 78, "Misconfigured"),
        (["gate", "customer_events", "--compatibility", "sideways"], 78, "Misconfigured"),
        (["diff", "customer_events", "--registry-url", "ftp://h"], 78, "Misconfigured"),
    ],
)
def test_each_fault_has_its_exit_code(stack, arguments, exit_code, kind):
    code, document, _ = command(*arguments)
    assert (code, document["error"]["kind"]) == (exit_code, kind)


# JSON ---------------------------------------------------------------------------------------------------------------


def test_the_contract_of_json_values_is_registered_evolved_and_found_again(registry, subject):
    first = gate(registry, CONTRACT, subject, written="json")
    assert first.current is not None
    assert registry.schema(first.current.id) == WrittenSchema(CONTRACT.version(1).text, "json")
    second = gate(registry, CONTRACT, subject, up_to=2, written="json")
    assert [(v.version, v.status) for v in second.versions] == [(1, "present"), (2, "registered")]
    assert {(c.path, c.kind) for c in second.versions[1].changes} == {
        ("experiment", "added"),
        ("client_sent_at", "added"),
    }
    again = gate(registry, CONTRACT, subject, up_to=2, written="json")
    assert [v.status for v in again.versions] == ["present", "present"]
    assert [version.kind for version in registry.versions(subject)] == ["JSON", "JSON"]


@pytest.mark.parametrize(
    ("level", "older", "newer", "fits"),
    [
        ("BACKWARD", ONE, BARE, False),
        ("BACKWARD", ONE, OPTIONAL, True),
        ("BACKWARD", ONE, record(a="string"), False),
        ("FULL", ONE, BARE, False),
        ("NONE", ONE, record(a="string"), True),
    ],
)
def test_the_gate_judges_contracts_of_json_as_those_of_avro(registry, subject, contract, level, older, newer, fits):
    gate(registry, contract(older, compatibility=level), subject, written="json")
    both = contract(older, newer, compatibility=level)
    if fits:
        newer = gate(registry, both, subject, written="json", column_conflicts="warn").versions[1]
        assert newer.status == "registered"
    else:
        with pytest.raises(SchemaIncompatible):
            gate(registry, both, subject, written="json")
        assert len(registry.versions(subject)) == 1


@pytest.mark.parametrize(("held", "written"), [("avro", "json"), ("json", "avro")])
def test_a_subject_has_one_format(registry, subject, held, written):
    gate(registry, CONTRACT, subject, written=held)
    with pytest.raises(SchemaIncompatible, match="not a record of the same format"):
        gate(registry, CONTRACT, subject, written=written)
    assert len(registry.versions(subject)) == 1


def test_a_json_schema_of_somebody_else_has_no_columns(registry, subject):
    body = {"schema": json.dumps({"$schema": DIALECT, "type": "object"}), "schemaType": "JSON"}
    made = registry._http.ask("POST", f"/subjects/{subject}/versions", doing="registering", body=body)
    with pytest.raises(UnsupportedSchema, match="without a contract"):
        registry.schema(made["id"])


def test_only_values_that_name_schemas_have_them_registered(subject):
    ended = streamproof("schemas", "diff", "customer_events", "--format", "plain-json")
    assert ended.exit_code == 78
    assert "not a format that names schemas" in ended.text
