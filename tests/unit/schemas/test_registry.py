"""The registry client and the gate against a registry that answers as it is told to."""

from __future__ import annotations

import base64
import json
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest

from cluster.connection import RegistrySettings
from cluster.errors import Misconfigured, Refused, RegistryUnreachable, SchemaIncompatible, StreamproofError
from consumer.sinks.duckdb.at_hand import RULES
from producer.scenarios import find_scenario
from schemas.columns.at_hand import AtHand
from schemas.columns.held import Held as Columns
from schemas.columns.judge import judge
from schemas.formats.headers import UnknownGuid
from schemas.manifest import SchemaUsed
from schemas.registry import http as registry_http
from schemas.registry.client import NEGATIVE_S
from schemas.registry.contract import Contract, ContractVersion, load_contract
from schemas.registry.gate import Registry, UnknownSchema, gate, inspect_subject
from schemas.registry.history import refuse_conflicts
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema
from tests.kit.seconds import within

V1 = load_contract("customer_events").version(1)
Reply = tuple[int, Any]


class StubRegistry:
    """A registry on loopback: ``replies`` maps ``METHOD /path`` (or ``*``) to a reply or a function of the body."""

    def __init__(self) -> None:
        self.replies: dict[str, Any] = {}
        self.asked: list[str] = []
        self.logins: list[str | None] = []
        self.release = threading.Event()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                name = f"{self.command} {self.path.partition('?')[0]}"
                stub.asked.append(name)
                stub.logins.append(self.headers.get("Authorization"))
                reply = stub.replies.get(name, stub.replies.get("*", (404, {"error_code": 40401, "message": "no"})))
                if callable(reply):
                    reply = reply(body, self)
                if reply is None:
                    return
                status, document = reply
                content = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def stub() -> Iterator[StubRegistry]:
    served = StubRegistry()
    yield served
    served.close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_http, "RETRY_WAIT_S", 0.01)


@contextmanager
def client(url: str, **more: Any) -> Iterator[Registry]:
    with Registry(RegistrySettings.model_validate({"url": url, "timeout_s": 0.4} | more)) as registry:
        yield registry


CALLS: dict[str, Callable[[Registry], object]] = {
    "schema_text": lambda registry: registry.schema_text(1),
    "versions": lambda registry: registry.versions("s"),
    "latest": lambda registry: registry.latest("s"),
    "lookup": lambda registry: registry.lookup("s", V1.text),
    "register": lambda registry: registry.register("s", V1.text),
    "compatible": lambda registry: registry.compatible("s", V1.text),
    "compatibility": lambda registry: registry.compatibility("s"),
    "set_compatibility": lambda registry: registry.set_compatibility("s", "FULL"),
    "gate": lambda registry: gate(registry, load_contract("customer_events"), "s"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("reply", "error", "exit_code", "attempts", "words"),
    [
        ((401, {"error_code": 40101, "message": "secret?"}), Refused, 77, 1, "does not know this login"),
        ((403, {"error_code": 40301, "message": "no"}), Refused, 77, 1, "does not allow this login"),
        ((422, {"error_code": 42201, "message": "bad"}), Misconfigured, 78, 1, "rejects the request"),
        ((500, {"error_code": 50001, "message": "boom"}), RegistryUnreachable, 69, 2, "HTTP 500"),
        ((503, b"<html>"), RegistryUnreachable, 69, 2, "HTTP 503"),
        ((404, b"<html>not here"), Misconfigured, 78, 1, "does not answer as a Schema Registry does"),
        ((200, b"<html>hello"), Misconfigured, 78, 1, "does not answer as a Schema Registry does"),
        ((302, b""), Misconfigured, 78, 1, "does not answer as a Schema Registry does"),
    ],
)
def test_every_failure_has_its_own_error(stub, call, reply, error, exit_code, attempts, words):
    stub.replies["*"] = reply
    with client(stub.url) as registry, pytest.raises(StreamproofError) as raised:
        call(registry)
    assert type(raised.value) is error
    assert raised.value.exit_code == exit_code
    assert words in str(raised.value)
    assert len(stub.asked) == attempts


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_registry_that_never_answers_is_given_up_in_time(stub, call):
    stub.replies["*"] = lambda body, handler: stub.release.wait(20) and None
    started = time.monotonic()
    with client(stub.url) as registry, pytest.raises(RegistryUnreachable, match="did not answer"):
        call(registry)
    within(3, started, "giving the registry up")


def test_an_answer_that_drips_is_given_up_in_time(stub):
    def drip(body: bytes, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not stub.release.wait(0.05):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return

    stub.replies["*"] = drip
    started = time.monotonic()
    with client(stub.url) as registry, pytest.raises(RegistryUnreachable, match="does not end"):
        registry.latest("s")
    within(3, started, "giving the registry up")


def test_the_default_deadline_is_bounded_by_15_seconds():
    settings = RegistrySettings(url="http://localhost")
    assert registry_http.ATTEMPTS * settings.timeout_s < registry_http.TOTAL_S
    assert registry_http.TOTAL_S + 2 < 15


def test_a_registry_that_is_not_there_is_unreachable(stub):
    stub.close()
    stub.close = lambda: None  # type: ignore[method-assign]
    with client(stub.url) as registry, pytest.raises(RegistryUnreachable) as raised:
        registry.latest("s")
    assert stub.url in str(raised.value)


def test_a_passing_failure_is_repeated_once(stub):
    answers = iter([(500, b""), (200, {"compatibilityLevel": "FULL"})])
    stub.replies["*"] = lambda body, handler: next(answers)
    with client(stub.url) as registry:
        assert registry.compatibility("s") == "FULL"


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"username": "u", "password": "hunter2"}, "Basic " + base64.b64encode(b"u:hunter2").decode()),
        ({"bearer_token": "hunter2"}, "Bearer hunter2"),
    ],
)
def test_the_login_is_sent_and_never_shown(stub, settings, header):
    stub.replies["*"] = (401, {"error_code": 401, "message": "who?"})
    with client(stub.url, **settings) as registry, pytest.raises(Refused) as raised:
        registry.latest("s")
    assert stub.logins == [header]
    assert "hunter2" not in str(raised.value) + repr(raised.value) + repr(registry) + repr(vars(registry))


def test_a_certificate_authority_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(Misconfigured, match=r"nowhere\.pem"):
        Registry(RegistrySettings(url="https://h", ssl_ca_location=str(tmp_path / "nowhere.pem")))
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(Misconfigured, match=r"bad\.pem"):
        Registry(RegistrySettings(url="https://h", ssl_ca_location=str(tmp_path / "bad.pem")))


def test_tls_against_a_plain_server_is_refused_and_not_repeated(stub):
    with client(stub.url.replace("http:", "https:")) as registry, pytest.raises(Refused, match="certificate"):
        registry.latest("s")


# Ids ------------------------------------------------------------------------------------------------------------


def test_an_id_is_asked_once(stub):
    stub.replies["GET /schemas/ids/7"] = (200, {"schema": V1.text})
    with client(stub.url) as registry:
        assert registry.schema_text(7) == registry.schema_text(7) == V1.text
    assert stub.asked == ["GET /schemas/ids/7"]


@pytest.mark.parametrize("code", [40401, 40403])
def test_an_unknown_id_is_the_values_fault_and_asked_once_a_minute(stub, code, monkeypatch):
    stub.replies["*"] = (404, {"error_code": code, "message": "Schema 9 not found"})
    with client(stub.url) as registry:
        for _ in range(5):
            with pytest.raises(UnknownSchema) as raised:
                registry.schema_text(9)
            assert (raised.value.kind, raised.value.phase) == ("unknown_schema", "schema")
        assert len(stub.asked) == 1
        now = time.monotonic()
        monkeypatch.setattr("schemas.registry.client.time.monotonic", lambda: now + NEGATIVE_S + 1)
        with pytest.raises(UnknownSchema):
            registry.schema_text(9)
        assert len(stub.asked) == 2


def test_an_id_of_another_format_is_unsupported(stub):
    stub.replies["GET /schemas/ids/1"] = (200, {"schema": "{}", "schemaType": "JSON"})
    stub.replies["GET /schemas/ids/2"] = (200, {"schema": "x", "schemaType": "PROTOBUF"})
    with client(stub.url) as registry:
        with pytest.raises(UnsupportedSchema, match="a JSON Schema without a contract"):
            registry.schema_text(1)
        with pytest.raises(UnsupportedSchema, match="schema 2 is PROTOBUF"):
            registry.schema_text(2)


def referring(stub: StubRegistry) -> None:
    """An order that refers to a customer, who refers to an address."""
    address = {"type": "record", "name": "Address", "namespace": "p", "fields": [{"name": "city", "type": "string"}]}
    customer = {"type": "record", "name": "Customer", "namespace": "q", "fields": [{"name": "at", "type": "p.Address"}]}
    fields = [{"name": "buyer", "type": "q.Customer"}, {"name": "to", "type": ["null", "p.Address"]}]
    order = {"type": "record", "name": "Order", "fields": fields}
    refers = {"name": "q.Customer", "subject": "customer", "version": 2}
    written = {"schema": json.dumps(order), "references": [refers]}
    stub.replies["GET /schemas/ids/7"] = (200, written)
    stub.replies["GET /subjects/t-value/versions"] = (200, [1])
    stub.replies["GET /subjects/t-value/versions/1"] = (200, {**written, "version": 1, "id": 7, "subject": "t-value"})
    deeper = {"name": "p.Address", "subject": "address", "version": 1}
    stub.replies["GET /subjects/customer/versions/2"] = (200, {"schema": json.dumps(customer), "references": [deeper]})
    stub.replies["GET /subjects/address/versions/1"] = (200, {"schema": json.dumps(address)})


def test_a_schema_that_refers_to_others_holds_their_types(stub):
    referring(stub)
    with client(stub.url) as registry:
        text = registry.schema_text(7)
        (_, buyer), (_, to) = parse(text).fields
        assert [node.name for node in buyer.walk()][:2] == ["q.Customer", "p.Address"]
        assert (to.name, to.nullable) == ("p.Address", True)
        # Neither the file that holds all types nor the text with names is unknown to the subject.
        spaced = json.dumps(json.loads(text), indent=1)
        assert registry.lookup("t-value", spaced) == SchemaUsed(subject="t-value", version=1, id=7)
        assert registry.lookup("t-value", json.dumps(record(a="int"))) is None


def test_a_registered_text_with_comments_is_read_without_them(stub):
    plain = json.dumps(record(a="int"))
    stub.replies["GET /schemas/ids/4"] = (200, {"schema": f"/* of ours */ {plain} // end"})
    stub.replies["GET /subjects/t-value/versions"] = (200, [1])
    told = {"schema": f"// head\n{plain}", "version": 1, "id": 4}
    stub.replies["GET /subjects/t-value/versions/1"] = (200, told)
    with client(stub.url) as registry:
        assert json.loads(registry.schema_text(4)) == json.loads(plain)
        assert registry.lookup("t-value", plain) == SchemaUsed(subject="t-value", version=1, id=4)


def test_a_reference_that_leads_nowhere_is_named(stub):
    referring(stub)
    del stub.replies["GET /subjects/address/versions/1"]
    words = "schema 7 is one that refers to p.Address: subject address has no version 1"
    with client(stub.url) as registry:
        with pytest.raises(UnsupportedSchema, match=words):
            registry.schema_text(7)
        (held,) = registry.versions("t-value")
        with pytest.raises(UnsupportedSchema, match=r"type q\.Customer is defined neither here nor"):
            parse(held.text)


def test_subjects_are_quoted_in_addresses(stub):
    with client(stub.url) as registry:
        assert registry.latest("a/b?c") is None
    assert stub.asked == ["GET /subjects/a%2Fb%3Fc/versions/latest"]


# The gate -------------------------------------------------------------------------------------------------------


class Held:
    """A registry's memory behind the stub: one subject, with or without an opinion of its own."""

    def __init__(self, stub: StubRegistry, *, level: str | None = None, default: str = "NONE") -> None:
        self.texts: list[str] = []
        self.level = level
        self.says: Reply = (200, {"is_compatible": True})
        stub.replies |= {
            "GET /subjects/s/versions": self._versions,
            "POST /subjects/s": self._lookup,
            "POST /subjects/s/versions": self._register,
            "POST /compatibility/subjects/s/versions": lambda body, handler: self.says,
            "GET /config/s": self._config,
            "PUT /config/s": self._set,
            "GET /config": (200, {"compatibilityLevel": default}),
        } | {f"GET /subjects/s/versions/{n}": self._one(n) for n in range(1, 6)}

    def _versions(self, body: bytes, handler: Any) -> Reply:
        return (200, list(range(1, len(self.texts) + 1))) if self.texts else (404, {"error_code": 40401})

    def _one(self, number: int) -> Callable[..., Reply]:
        def reply(body: bytes, handler: Any) -> Reply:
            return 200, {"subject": "s", "version": number, "id": 100 + number, "schema": self.texts[number - 1]}

        return reply

    def _lookup(self, body: bytes, handler: Any) -> Reply:
        text = json.loads(body)["schema"]
        if text not in self.texts:
            return 404, {"error_code": 40403, "message": "not found"}
        number = self.texts.index(text) + 1
        return 200, {"subject": "s", "version": number, "id": 100 + number, "schema": text}

    def _register(self, body: bytes, handler: Any) -> Reply:
        if self.says[0] == 409:
            return self.says
        self.texts.append(json.loads(body)["schema"])
        return 200, {"id": 100 + len(self.texts)}

    def _config(self, body: bytes, handler: Any) -> Reply:
        return (200, {"compatibilityLevel": self.level}) if self.level else (404, {"error_code": 40408, "message": "-"})

    def _set(self, body: bytes, handler: Any) -> Reply:
        self.level = json.loads(body)["compatibility"]
        return 200, {"compatibility": self.level}


def contract(*schemas: dict[str, Any], compatibility: str = "BACKWARD", active: int | None = None) -> Contract:
    versions = tuple(
        ContractVersion(number, V1.path, schema, json.dumps(schema)) for number, schema in enumerate(schemas, 1)
    )
    return Contract("c", versions, compatibility, active or len(versions))  # type: ignore[arg-type]


def record(**fields: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": "R",
        "fields": [{"name": n, **(t if isinstance(t, dict) else {"type": t})} for n, t in fields.items()],
    }


ONE = record(a="int")
TWO = record(a="int", b={"type": "string", "default": ""})
BARE = record(a="int", b="string")


def test_versions_are_registered_in_order_and_the_second_time_nothing_happens(stub):
    held = Held(stub)
    with client(stub.url) as registry:
        result = gate(registry, contract(ONE, TWO), "s")
        assert [(v.version, v.status) for v in result.versions] == [(1, "registered"), (2, "registered")]
        assert [c.path for c in result.versions[1].changes] == ["b"]
        assert result.current is not None
        assert (result.current.version, result.current.id) == (2, 102)
        assert held.level == "BACKWARD"
        stub.asked.clear()
        again = gate(registry, contract(ONE, TWO), "s")
        assert [v.status for v in again.versions] == ["present", "present"]
        assert not [
            asked for asked in stub.asked if asked.startswith("PUT") or asked.endswith("POST /subjects/s/versions")
        ]
    assert len(held.texts) == 2


def test_a_version_that_does_not_fit_keeps_the_ones_before_it_out_too(stub):
    held = Held(stub)
    with client(stub.url) as registry, pytest.raises(SchemaIncompatible) as raised:
        gate(registry, contract(ONE, BARE), "s")
    assert raised.value.exit_code == 65
    assert "v2: b: " in str(raised.value)
    assert held.texts == []
    assert held.level is None


def test_the_registrys_own_refusal_counts(stub):
    held = Held(stub)
    held.texts = [json.dumps(ONE)]
    held.says = (200, {"is_compatible": False, "messages": ["b at /fields/1 has no default"]})
    with client(stub.url) as registry, pytest.raises(SchemaIncompatible, match="the registry says: b at /fields/1"):
        gate(registry, contract(ONE, TWO), "s")
    assert len(held.texts) == 1


def test_a_registry_that_compares_nothing_with_types_of_other_subjects_is_told_in_the_verdict(stub):
    held, inner = Held(stub), {"type": "record", "name": "P", "fields": [{"name": "x", "type": "int"}]}
    held.says = (422, {"error_code": 42201, "message": "could not compare"})
    stub.replies["GET /subjects/p/versions/1"] = (200, {"schema": json.dumps(inner)})
    refers = {"references": [{"name": "P", "subject": "p", "version": 1}]}
    answer = {"subject": "s", "version": 1, "id": 101, "schema": json.dumps(record(a="P"))}
    with client(stub.url) as registry:
        held.texts = [json.dumps(record(a="P"))]
        stub.replies["GET /subjects/s/versions/1"] = (200, answer | refers)
        with pytest.raises(SchemaIncompatible, match="types from other subjects, and with that the registry rejects"):
            gate(registry, contract(record(a={"type": inner}, b=["null", "int"])), "s", level="NONE")
        held.texts = [json.dumps(ONE)]
        stub.replies["GET /subjects/s/versions/1"] = (200, answer | {"schema": held.texts[0]})
        with pytest.raises(Misconfigured, match="could not compare"):
            gate(registry, contract(TWO), "s", level="NONE")


def test_a_refusal_while_registering_is_told(stub):
    held = Held(stub)
    held.says = (
        409,
        {"error_code": 409, "message": "io.apicurio.RuleViolationException: Incompatible: x at /fields/1"},
    )
    stub.replies["POST /compatibility/subjects/s/versions"] = (200, {"is_compatible": True})
    with client(stub.url) as registry, pytest.raises(SchemaIncompatible, match="the schema: Incompatible: x at"):
        gate(registry, contract(ONE), "s")
    assert held.texts == []


def test_a_dry_run_and_a_look_change_nothing(stub):
    held = Held(stub)
    with client(stub.url) as registry:
        assert gate(registry, contract(ONE), "s", dry_run=True).versions[0].status == "missing"
        seen = inspect_subject(registry, contract(ONE, BARE), "s")
    assert seen.reasons
    assert (held.texts, held.level) == ([], None)


def test_only_active_versions_are_registered_unless_told(stub):
    held = Held(stub)
    with client(stub.url) as registry:
        gate(registry, contract(ONE, TWO, active=1), "s")
        assert len(held.texts) == 1
        gate(registry, contract(ONE, TWO, active=1), "s", up_to=2)
        assert len(held.texts) == 2
        with pytest.raises(Misconfigured, match="no version 3"):
            gate(registry, contract(ONE, TWO), "s", up_to=3)


def test_a_run_that_mixes_versions_has_the_next_one_registered_or_is_refused(stub):
    held = Held(stub)
    with client(stub.url) as registry:
        gate(registry, contract(ONE, TWO, active=1), "s", mixing=True)
        assert len(held.texts) == 2
        with pytest.raises(Misconfigured, match="no version 3: there is no next one to mix in"):
            gate(registry, contract(ONE, TWO), "s", up_to=2, mixing=True)
        assert len(held.texts) == 2


def test_a_registry_that_reformats_holds_the_same_schema(stub):
    held = Held(stub)
    held.texts = [json.dumps({key: ONE[key] for key in reversed(ONE)}, indent=4)]
    with client(stub.url) as registry:
        assert gate(registry, contract(ONE), "s").versions[0].status == "present"
    assert len(held.texts) == 1


def test_a_strangers_version_that_fits_is_shown_and_built_upon(stub):
    held = Held(stub, level="BACKWARD")
    held.texts = [json.dumps(ONE), json.dumps(record(a="int", z={"type": "int", "default": 0}))]
    with client(stub.url) as registry:
        result = gate(registry, contract(ONE, TWO), "s")
    assert [v.status for v in result.versions] == ["present", "registered"]
    assert result.versions[1].compared_with == "registry version 2 (id 102)"
    (stranger,) = result.unknown
    assert stranger.used.version == 2
    assert {(c.path, c.kind) for c in stranger.changes} == {("b", "removed"), ("z", "added")}


def test_a_strangers_version_that_cannot_read_ours_is_refused(stub):
    held = Held(stub, level="NONE")
    held.texts = [json.dumps(ONE), json.dumps(BARE)]
    with client(stub.url) as registry, pytest.raises(SchemaIncompatible, match="registry version 2: b: missing"):
        gate(registry, contract(ONE), "s")


@pytest.mark.parametrize(
    "text",
    [
        '"string"',
        "not json",
        "[]",
        '{"type":"record"}',
        '{"type":"record","name":"R","fields":[{"name":"a","type":"X"}]}',
    ],
)
def test_a_strangers_version_of_another_format_is_refused(stub, text):
    held = Held(stub)
    held.texts = [text]
    with client(stub.url) as registry, pytest.raises(SchemaIncompatible, match="not a record of the same format"):
        gate(registry, contract(ONE), "s")
    assert len(held.texts) == 1


@pytest.mark.parametrize(
    ("own", "wanted", "loosens"),
    [
        (None, "BACKWARD", False),
        ("NONE", "BACKWARD", False),
        ("BACKWARD", "BACKWARD", False),
        ("BACKWARD", "BACKWARD_TRANSITIVE", False),
        ("BACKWARD", "FULL", False),
        ("FORWARD", "FULL_TRANSITIVE", False),
        ("BACKWARD_TRANSITIVE", "FULL", True),
        ("BACKWARD", "FORWARD", True),
        ("FULL", "BACKWARD", True),
        ("FULL_TRANSITIVE", "FULL", True),
        ("BACKWARD", "NONE", True),
    ],
)
def test_a_level_is_made_stricter_and_loosened_only_on_demand(stub, own, wanted, loosens):
    held = Held(stub, level=own)
    with client(stub.url) as registry:
        if loosens:
            with pytest.raises(Misconfigured, match=f"held to {own}, which {wanted} would loosen"):
                gate(registry, contract(ONE, compatibility=wanted), "s")
            assert (held.level, held.texts) == (own, [])
            gate(registry, contract(ONE), "s", level=wanted)
        else:
            gate(registry, contract(ONE, compatibility=wanted), "s")
    assert held.level == wanted
    assert len(held.texts) == 1


def test_a_shared_subject_keeps_the_registrys_default_level(stub):
    held = Held(stub, default="FULL")
    held.texts = [json.dumps(ONE)]
    with client(stub.url) as registry, pytest.raises(Misconfigured, match="held to FULL"):
        gate(registry, contract(TWO), "s")


def test_an_unknown_level_is_named(stub):
    Held(stub)
    with client(stub.url) as registry, pytest.raises(Misconfigured, match="unknown compatibility level SIDEWAYS"):
        gate(registry, contract(ONE), "s", level="SIDEWAYS")


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ((200, [{"context": ".", "id": 12}]), 12),
        ((200, [{"context": ":.other:", "id": 3}, {"context": ".", "id": 12}]), 12),
        ((200, [{"context": ":.other:", "id": 3}]), 3),
        ((200, []), None),
        ((404, {"error_code": 40403, "message": "no such GUID"}), None),
        ((404, b"<html>no such place</html>"), None),
        ((404, {"error_code": 404, "message": "HTTP 404 Not Found"}), None),
    ],
)
def test_a_guid_gives_the_id_of_its_schema_where_the_registry_tells(
    stub: StubRegistry, reply: Reply, found: int | None
) -> None:
    guid = UUID("6da336d8-f1d3-0f98-4c47-d03ee8a14a10")
    stub.replies[f"GET /schemas/guids/{guid}/ids"] = reply
    with client(stub.url) as registry:
        if found is not None:
            assert registry.id_of(guid) == found
            return
        with pytest.raises(UnknownGuid, match=str(guid)):
            registry.id_of(guid)


LONG, DOUBLE = record(a="int", amount="long"), record(a="int", amount="double")
CONFLICT = "amount: amount is BIGINT in the table and DOUBLE here, so it gets the column amount_2"


def test_a_field_that_no_column_holds_beside_its_history_is_refused_before_anything_is_registered(stub):
    held = Held(stub)
    held.texts = [json.dumps(LONG)]
    with client(stub.url) as registry:
        with pytest.raises(SchemaIncompatible) as raised:
            gate(registry, contract(LONG, DOUBLE), "s")
        assert f"v2: {CONFLICT}; --column-conflicts warn allows it" in str(raised.value)
        assert len(held.texts) == 1
        passed = gate(registry, contract(LONG, DOUBLE), "s", column_conflicts="warn")
        assert passed.versions[1].remarks[0] == CONFLICT
        again = gate(registry, contract(LONG, DOUBLE), "s")
    assert [(version.status, version.remarks) for version in again.versions] == [
        ("present", ()),
        ("present", (CONFLICT,)),
    ]


def test_the_setting_holds_where_no_flag_says_otherwise(stub):
    held = Held(stub)
    held.texts = [json.dumps(LONG)]
    with client(stub.url, column_conflicts="warn") as registry:
        assert gate(registry, contract(LONG, DOUBLE), "s", dry_run=True).versions[1].remarks[0] == CONFLICT
        with pytest.raises(SchemaIncompatible, match="amount_2"):
            gate(registry, contract(LONG, DOUBLE), "s", column_conflicts="refuse")


def test_what_fits_into_one_column_is_said_and_not_refused(stub):
    Held(stub)
    steps = contract(record(a="int"), record(a="long"), record(a=["null", "long", "string"]), compatibility="NONE")
    with client(stub.url) as registry:
        result = gate(registry, steps, "s")
    assert [len(version.remarks) for version in result.versions] == [0, 1, 1]
    assert "a: the column becomes BIGINT" in result.versions[1].remarks[0]


def test_a_version_of_somebody_else_far_back_counts(stub):
    held = Held(stub, level="NONE")
    held.texts = [json.dumps(LONG), json.dumps(record(a="int"))]
    with client(stub.url) as registry, pytest.raises(SchemaIncompatible, match="amount_2"):
        gate(registry, contract(record(a="int"), DOUBLE, compatibility="NONE"), "s", level="NONE")


def test_a_warehouse_at_hand_is_asked_and_what_it_decided_is_not_asked_again(stub):
    stored = judge(Columns(), parse(json.dumps(LONG))).held
    table = AtHand("/w.duckdb", stored)
    Held(stub)
    with client(stub.url) as registry:
        with pytest.raises(SchemaIncompatible, match="amount_2"):
            gate(registry, contract(DOUBLE), "s", table=table)
        used = gate(registry, contract(DOUBLE), "s").current
        assert used is not None
        with pytest.raises(SchemaIncompatible, match="--column-conflicts warn") as raised:
            refuse_conflicts(registry, "s", [json.dumps(DOUBLE)], table=table)
        assert raised.value.exit_code == 65
        assert raised.value.where == "/w.duckdb"
        assert refuse_conflicts(registry, "s", [json.dumps(DOUBLE)], table=table, column_conflicts="warn") == [CONFLICT]
        decided = AtHand("/w.duckdb", stored, known=frozenset({used.id}))
        assert refuse_conflicts(registry, "s", [json.dumps(DOUBLE)], table=decided) == []
    assert refuse_conflicts(None, "s", [json.dumps(LONG)], table=table) == []
    with pytest.raises(SchemaIncompatible):
        refuse_conflicts(None, "s", [json.dumps(DOUBLE)], table=table)


def test_the_rules_of_a_store_reach_another_process():
    assert pickle.loads(pickle.dumps(AtHand("x", rules=RULES))) == AtHand("x", rules=RULES)


def test_an_invalid_logical_type_is_remarked_on(stub):
    Held(stub)
    wrong = record(d={"type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 9}})
    with client(stub.url) as registry:
        result = gate(registry, contract(wrong), "s")
    assert [remark.partition(":")[0] for remark in result.versions[0].remarks] == ["d"]


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({"schema": "message M {}", "schemaType": "PROTOBUF"}, "schema 3 is PROTOBUF"),
        ({"schema": "{}", "schemaType": "JSON"}, "a JSON Schema without a contract"),
        ({"schema": '"string"'}, "the value is of type string; a table needs a record"),
        ({"schema": "{}", "references": [{"name": "p.T", "subject": "x", "version": 1}]}, "refers to p.T: subject x"),
    ],
)
def test_a_subject_that_nothing_can_be_produced_from_is_refused_in_words(stub, tmp_path, held, words):
    stub.replies["GET /subjects/s/versions/latest"] = (200, {**held, "version": 1, "id": 3})
    stub.replies["GET /schemas/ids/3"] = (200, held)
    (tmp_path / "s.yaml").write_text("subject: s\n")
    with pytest.raises(Misconfigured, match=f"subject s has no schema that can be produced: .*{words}"):
        find_scenario(str(tmp_path / "s.yaml"), registry=RegistrySettings(url=stub.url))
