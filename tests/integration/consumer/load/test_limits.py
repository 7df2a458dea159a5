"""What a load says, and how it ends, when much of what it read went into the quarantine; and when ids changed hands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cluster.errors import SchemaReplaced
from consumer.sinks.limit import Limit, LimitBroken

SENT = {
    "type": "record",
    "name": "Sent",
    "fields": [{"name": "sender", "type": "string"}, {"name": "receiver", "type": "string"}],
}


def test_a_load_that_quarantines_more_than_half_says_so_and_ends_with_65(rig: Any) -> None:
    rig.create()
    rig.produce([*rig.values(range(4)), *[b"junk"] * 6])
    done = rig.run("--json")
    assert done.returncode == 65, done.stderr
    said = json.loads(done.stdout)
    assert (said["rows"], said["quarantined"], said["quarantined_share"]) == (4, 6, 0.6)
    assert said["error"]["exit_code"] == 65
    assert "6 of 10 records (60.0 %) went into the quarantine, more than 50 %" in said["error"]["message"]
    rig.prove()  # what is stored stays stored
    assert rig.run().returncode == 0  # nothing new: this load read nothing that it could not store


def test_a_load_that_can_decode_nothing_at_all_says_so(rig: Any) -> None:
    rig.create()
    rig.produce([b"junk"])
    done = rig.run()
    assert done.returncode == 65
    assert "nothing at all could be decoded: 1 of 1 records (100.0 %)" in " ".join(done.stderr.split())
    assert "1 of 1 records (100.0 %) went into the quarantine" in " ".join(done.stdout.split())


def test_half_is_told_and_no_failure_and_100_percent_switches_the_limit_off(rig: Any) -> None:
    rig.create()
    rig.produce([*rig.values(range(5)), *[b"junk"] * 5])
    done = rig.run()
    assert done.returncode == 0, done.stderr
    assert "5 of 10 records (50.0 %) went into the quarantine" in " ".join(done.stdout.split())
    rig.produce([b"junk"] * 5)
    done = rig.run("--max-quarantined", "100%")
    assert done.returncode == 0, done.stderr


def test_a_limit_counts_what_is_there_when_nothing_new_comes(rig: Any) -> None:
    rig.create()
    rig.produce([*rig.values(range(2)), b"junk", b"junk"])
    assert rig.load().quarantined == 2
    with pytest.raises(LimitBroken, match=r"the quarantine holds 2 records, the limit is 40 %"):
        rig.load(limit=Limit.parse("40%"))
    assert rig.load(limit=Limit.parse("50%")).quarantined == 0


def test_an_id_that_the_registry_gives_to_another_schema_now_ends_the_load_and_nothing_is_stored(rig: Any) -> None:
    rig.create()
    rig.produce(rig.encode(SENT, [{"sender": "alice", "receiver": "bob"}]))
    first = rig.load()
    assert (first.rows, first.not_compared) == (1, {})
    # As if the warehouse had been loaded with the registry that there was before.
    before = json.dumps(SENT | {"fields": SENT["fields"][::-1]})  # type: ignore[index]
    rig.rows(f"UPDATE schema_versions SET schema = '{before}'")
    rig.produce(rig.encode(SENT, [{"sender": "carol", "receiver": "dave"}]))
    with pytest.raises(SchemaReplaced, match=r"gives id [0-9]+ to another schema now"):
        rig.load()
    assert rig.run().returncode == 65
    assert rig.rows("SELECT sender, receiver FROM events") == [("alice", "bob")]
    assert rig.rows("SELECT next_offset FROM load_offsets") == [(1,)]
