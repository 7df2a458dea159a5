"""Contracts on disk: what is read, and how each broken file is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.errors import Misconfigured
from schemas.registry.contract import load_contract, subject_for

GOOD = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder of contracts with one contract ``c`` made of the given files."""

    def make(**files: str | bytes) -> Path:
        home = tmp_path / "c"
        home.mkdir(exist_ok=True)
        for name, content in ({"v1_avsc": json.dumps(GOOD)} | files).items():
            data = content.encode() if isinstance(content, str) else content
            (home / name.replace("_", ".")).write_bytes(data)
        return tmp_path

    return make


def test_the_contract_of_customer_events_is_complete():
    contract = load_contract("customer_events")
    assert [version.version for version in contract.versions] == [1, 2]
    assert contract.active == 1
    assert contract.compatibility == "BACKWARD_TRANSITIVE"
    assert contract.latest().version == 2
    assert contract.version(1).schema["fields"][0]["name"] == "event_id"
    assert json.loads(contract.version(2).text) == contract.version(2).schema
    assert subject_for("t") == "t-value"


def test_the_text_does_not_depend_on_formatting(folder):
    plain = load_contract("c", folder()).version(1).text
    assert load_contract("c", folder(v1_avsc=json.dumps(GOOD, indent=8))).version(1).text == plain


def test_rules_have_defaults(folder):
    contract = load_contract("c", folder())
    assert (contract.compatibility, contract.active) == ("BACKWARD", 1)
    contract = load_contract("c", folder(v2_avsc=json.dumps(GOOD), contract_yaml="compatibility: FULL\nactive: 2\n"))
    assert (contract.compatibility, contract.active) == ("FULL", 2)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"v1_avsc": "{nope"}, "v1.avsc.*not JSON|not JSON.*v1.avsc"),
        ({"v1_avsc": b"\xff\xfe"}, "not UTF-8"),
        ({"v1_avsc": '{"type":"record","name":"R","fields":[{"name":"a","type":"strin"}]}'}, "not usable: .*strin"),
        ({"v1_avsc": '"string"'}, "a table needs a record"),
        (
            {"v1_avsc": '{"type":"record","name":"R","fields":[{"name":"a","type":"R"}]}'},
            "a: type R always holds itself again",
        ),
        ({"v3_avsc": json.dumps(GOOD)}, "gap: v1, v3"),
        ({"contract_yaml": "compatibility: [\n"}, "not YAML at line 2"),
        ({"contract_yaml": "compatibility: SIDEWAYS\n"}, "compatibility: Input should be 'NONE', 'BACKWARD'"),
        ({"contract_yaml": "compatibilty: FULL\n"}, "unknown key compatibilty, did you mean compatibility"),
        ({"contract_yaml": "active: 2\n"}, "active: 2, and the newest version is 1"),
        ({"contract_yaml": "active: 0\n"}, "active: "),
        ({"contract_yaml": "- a\n"}, "contract.yaml"),
    ],
)
def test_a_broken_file_is_named_with_its_fault(folder, files, words):
    with pytest.raises(Misconfigured, match=words) as raised:
        load_contract("c", folder(**files))
    assert str(folder()) in str(raised.value)
    assert raised.value.exit_code == 78


def test_a_file_that_cannot_be_read_is_named(folder):
    root = folder()
    (root / "c" / "v1.avsc").unlink()
    (root / "c" / "v1.avsc").mkdir()
    with pytest.raises(Misconfigured, match="cannot be read"):
        load_contract("c", root)


def test_an_unknown_name_is_answered_with_the_nearest(folder):
    with pytest.raises(Misconfigured, match="Did you mean customer_events"):
        load_contract("customer_event")
    with pytest.raises(Misconfigured, match="There are: c"):
        load_contract("zzzzz", folder())
    with pytest.raises(Misconfigured, match="There are: none"):
        load_contract("x", folder() / "c")


@pytest.mark.parametrize("name", ["../schemas/customer_events", "/etc", "", "."])
def test_a_name_is_never_a_path(name):
    with pytest.raises(Misconfigured, match="no contract is named"):
        load_contract(name)
