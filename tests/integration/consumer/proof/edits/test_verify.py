"""A warehouse and a publication are proved from themselves, and a warehouse against Kafka and the registry."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import Misconfigured, WarehouseLocked
from consumer.sinks.duckdb.warehouse import open_warehouse
from consumer.verify import Verification, verify_publication, verify_warehouse
from consumer.verify.outside import differing_leaves
from tests.integration.consumer.proof.edits.conftest import Delivered
from tests.integration.consumer.proof.edits.places import PLAIN, draw
from tests.kit.commands import streamproof
from tests.kit.depth import DEEP

FROM_THE_FILE = (
    "names", "origin", "ledger", "places", "schemas", "columns", "sizes", "quarantine", "manifests", "verdicts",
    "checks", "publications",
)  # fmt: skip


def by_name(found: Verification) -> dict[str, str]:
    return {proof.name: proof.verdict for proof in found.proofs}


def test_a_warehouse_is_proved_from_itself_and_not_touched(own: Delivered) -> None:
    before = own.warehouse.read_bytes()
    own.warehouse.chmod(0o444)
    found = verify_warehouse(own.warehouse)
    assert (found.verdict, by_name(found)) == ("PASSED", dict.fromkeys(FROM_THE_FILE, "PASSED")), found.document()
    assert "no broker" in found.against
    assert own.warehouse.read_bytes() == before


def test_a_warehouse_is_proved_against_kafka_and_the_registry_leaf_by_leaf(own: Delivered) -> None:
    found = verify_warehouse(own.warehouse, own.connection, sample=60, seed=3)
    assert found.verdict == "PASSED", found.document()
    assert set(by_name(found)) == {*FROM_THE_FILE, "topic", "registry", "sample"}
    assert found.against.startswith(f"Kafka at {own.connection.kafka.bootstrap_servers}")
    (sample,) = [proof for proof in found.proofs if proof.name == "sample"]
    assert sample.looked_at.startswith("60 events, 18 quarantined records, 5 tombstones; ")
    assert int(sample.looked_at.split("; ")[1].split()[0].replace(",", "")) > 60 * 30


# Each changes something else, so they are tried together, and at depth one by one: a proof takes as long for one as
# for all.
OTHERWISE = {
    "UPDATE events SET _key = 'zz'": "its key is another",
    "UPDATE events SET _timestamp = _timestamp + INTERVAL 1 MILLISECOND": "its time is another",
    "UPDATE events SET device = struct_update(device, os := 'none')": "device.os is another value",
    "UPDATE events SET _crc32 = _crc32 + 1": "its bytes are not those of the checksum",
    "UPDATE quarantine SET key = 'zz'": "quarantine: {place}: the key of the record is another",
    "UPDATE quarantine SET headers = []": "quarantine: {place}: the headers of the record is another",
    "UPDATE tombstones SET key = 'zz'": "tombstones: {place}: the key of the record is another",
}
OUTSIDE = [
    ("UPDATE load_offsets SET topic_id = 'other'", "topic", "topic with id other"),
    ("UPDATE load_offsets SET cluster_id = 'other'", "topic", "cluster other"),
    ("UPDATE load_offsets SET next_offset = 10000000", "topic", "the topic ends at"),
    (
        "UPDATE schema_versions SET schema = replace(schema, 'user_id', 'uid')",
        "registry",
        "another text in the registry",
    ),
    ("UPDATE manifests SET document = replace(document, '\"seed\":7', '\"seed\":8')", "manifests", "says another seed"),
]


@pytest.mark.parametrize("changes", [[each] for each in OTHERWISE] if DEEP else [[*OTHERWISE]])
def test_what_is_read_again_and_is_otherwise_is_named(own: Delivered, changes: list[str]) -> None:
    own.sql("; ".join(changes))
    found = verify_warehouse(own.warehouse, own.connection, sample=3)
    (sample,) = [proof for proof in found.proofs if proof.name == "sample"]
    assert sample.verdict == "FAILED"
    place = r"partition \d offset \d+"
    for said in (OTHERWISE[change] for change in changes):
        wanted = said.format(place=place) if "{place}" in said else f"{place}: {re.escape(said)}"
        assert any(re.fullmatch(wanted, fault) for fault in sample.faults), (wanted, sample.faults)


@pytest.mark.parametrize("changes", [[each] for each in OUTSIDE] if DEEP else [OUTSIDE])
def test_what_kafka_or_the_registry_say_otherwise_is_named(own: Delivered, changes: list[tuple[str, str, str]]) -> None:
    own.sql("; ".join(change for change, _, _ in changes))
    found = verify_warehouse(own.warehouse, own.connection, sample=3)
    for _, proof, said in changes:
        (wrong,) = [each for each in found.proofs if each.name == proof]
        assert any(said in fault for fault in wrong.faults), wrong


def test_the_command_says_what_was_held_against_what_and_ends_with_65(own: Delivered) -> None:
    shown = streamproof("verify", own.warehouse, "--offline")
    assert shown.exit_code == 0
    assert "PASSED" in shown.stdout
    assert "no broker and no registry was asked" in " ".join(shown.stdout.split())  # lines are folded
    said = streamproof("verify", own.warehouse, "--sample", "6", "--json")
    assert (said.exit_code, said.document["verdict"], said.document["kind"]) == (0, "PASSED", "warehouse")
    assert [proof["name"] for proof in said.document["proofs"]][-1] == "sample"
    where = draw(own.warehouse, PLAIN, 1)
    own.sql(f"UPDATE events SET user_id = 'HACKED' WHERE {where['event']}")
    wrong = streamproof("verify", own.warehouse, "--offline", "--json")
    assert (wrong.exit_code, wrong.document["verdict"]) == (65, "FAILED")
    assert wrong.document["error"]["kind"] == "VerdictFailed"
    assert f"partition {where['p']} offset {where['o']}" in json.dumps(wrong.document["proofs"])
    assert "columns does not hold" in wrong.stderr


def test_what_is_no_warehouse_and_no_publication_is_refused(own: Delivered, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="there is no warehouse"):
        verify_warehouse(tmp_path / "none.duckdb")
    with pytest.raises(Misconfigured, match="holds no snapshot"):
        verify_publication(tmp_path)
    with open_warehouse(own.warehouse), pytest.raises(WarehouseLocked):
        verify_warehouse(own.warehouse, wait_s=0)


def test_a_file_in_which_something_answers_in_place_of_the_data_is_asked_nothing_else(own: Delivered) -> None:
    own.sql("CREATE MACRO count_star() AS 7")
    found = verify_warehouse(own.warehouse)
    assert by_name(found) == {"names": "FAILED"}
    assert "count_star" in found.reason


def test_a_publication_is_proved_from_itself_and_beside_its_warehouse(own: Delivered) -> None:
    found = verify_publication(own.published)
    assert (found.verdict, by_name(found)) == ("PASSED", dict.fromkeys(("names", "files", "marts"), "PASSED")), found
    found = verify_publication(own.snapshot, own.warehouse)
    assert (found.verdict, by_name(found)["rows"]) == ("PASSED", "PASSED"), found


@pytest.mark.parametrize(
    ("said", "stored", "paths", "leaves"),
    [
        ({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 3]}, ["x.b[1]"], 3),
        ({"a": {"b": None}}, {"a": {"b": None, "later": None}}, [], 1),
        ({"a": {"b": None}}, {"a": {"b": None, "later": 1}}, ["x.a.later"], 1),
        ({"a": float("nan")}, {"a": float("nan")}, [], 1),
        ([1, 2], [1, 2, 3], ["x"], 1),
        (None, {"a": 1}, ["x"], 1),
    ],
)
def test_values_are_compared_leaf_by_leaf(said: Any, stored: Any, paths: list[str], leaves: int) -> None:
    assert differing_leaves(said, stored, "x") == (paths, leaves)
