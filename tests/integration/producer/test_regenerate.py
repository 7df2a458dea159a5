"""Events that are made again from the manifests are those that a reader finds in the topic, value by value."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cluster.connection import Connection
from cluster.errors import DataRejected, Interrupted, Misconfigured, RecordsUndelivered
from cluster.topics import admin_client, apply_topics, specs_for
from producer import ProduceRequest, produce_shard
from producer.regenerate import regenerated
from producer.scenarios import contract_of, find_scenario
from producer.send.supply import keys_of
from schemas.control_topic import read_control_topic
from schemas.faults import CLOCK_SKEW, DROPPED, HOT_KEY, LATE, TOMBSTONE
from schemas.formats import PLAIN, WrittenSchema, identity, named_schema, value_format
from schemas.identity import id_in_header, read_event_id, run_prefix
from schemas.manifest import Manifest, count
from schemas.registry.contract import subject_for
from schemas.registry.gate import Registry, gate
from tests.integration.producer.test_faults_declared import MACHINES, TRIPS, VISITS, write
from tests.integration.producer.test_json_runs import EVERYTHING, with_format
from tests.kit.kafka import read_topic
from tests.kit.stops import StopAt

RUN = "told/again"
# Every kind that changes an event, and those that change its place or take its value away.
FAULTS = (
    "dropped=7",
    "tombstone=5",
    "undecodable=18",
    "out_of_order=25",
    "duplicate=9",
    "altered=21",
    "late=11,mean=20m",
    "clock_skew=1,by=-5m",
)
HOT = (*FAULTS, "hot_key=0.2")


@dataclass(frozen=True)
class Sent:
    """An event, as a reader finds it."""

    values: dict[str, Any]
    key: bytes | None


def sent(connection: Connection, manifests: Sequence[Manifest]) -> dict[tuple[int, int], Sent]:
    """Read a run's events out of its topic: those of which some record can be decoded."""
    said = manifests[0]
    written = value_format(said.value_format)
    groups: dict[int, list[tuple[tuple[int, int], Any]]] = defaultdict(list)
    for message in read_topic(connection, said.topic):
        value = message.value() or b""
        text = id_in_header(message.headers()) or identity(value)
        found = read_event_id(text.decode("ascii", "replace"))
        if found is None or found.run_prefix != run_prefix(said.run_id):
            continue
        number = said.schema_used.id if written.name in PLAIN else named_schema(written, value)
        if number is not None and value:
            groups[number].append(((found.shard, found.sequence), message))
    events: dict[tuple[int, int], Sent] = {}
    with Registry(connection.registry) as registry:
        for number, messages in groups.items():
            plain = WrittenSchema(said.contract or "", written.name)
            try:
                schema = plain if written.name in PLAIN else registry.schema(number)
            except Exception:  # noqa: BLE001 - a frame that was broken names any number
                continue
            payloads = [message.value()[written.head_bytes :] for _, message in messages]
            salvaged = written.decoder(schema.text).salvage(payloads)
            for place, row in zip(salvaged.kept, salvaged.batch.to_pylist(), strict=True):
                events[messages[place][0]] = Sent(row, messages[place][1].key())
    return events


def compared(connection: Connection, manifests: Sequence[Manifest], scenario: str | None = None) -> int:
    """Compare every event that a reader finds with what is made again, and return how many there were."""
    told = regenerated(manifests, connection=connection, scenario=scenario)
    events = sent(connection, manifests)
    for manifest in manifests:
        rows: dict[int, tuple[dict[str, Any], bytes | None]] = {}
        last = -1
        for batch in told.events(manifest.shard, 0, manifest.next_sequence):
            assert batch.schema.names == ["_sequence", *told.schema.names]
            assert len(batch) <= 4096
            sequences = batch.column("_sequence").to_pylist()
            assert sequences == list(range(last + 1, last + 1 + len(batch)))
            last = sequences[-1]
            batch.validate(full=True)
            keys = [None] * len(batch) if told.key is None else keys_of(batch.column(told.key))
            values = batch.drop_columns("_sequence").to_pylist()
            rows |= dict(zip(sequences, zip(values, keys, strict=True), strict=True))
        assert last + 1 == manifest.next_sequence
        for (shard, sequence), event in events.items():
            if shard == manifest.shard:
                made, key = rows[sequence]
                known = dict.fromkeys(told.schema.names) | event.values
                assert repr({name: made[name] for name in known}) == repr(known), sequence
                assert key == event.key
    away = sum(
        manifest.injected.get(kind, 0)
        for manifest in manifests
        for kind in manifest.injected
        if kind == TOMBSTONE or kind.startswith("undecodable.")
    )
    assert len(events) == sum(manifest.acknowledged for manifest in manifests) - away
    assert told.unproved == []
    return len(events)


def prepare(connection: Connection, topic: str, scenario: str, up_to: int | None = None) -> None:
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    found = find_scenario(scenario)
    with Registry(connection.registry) as registry:
        if found.format not in PLAIN:
            gate(registry, contract_of(found), subject_for(topic), written=found.format, up_to=up_to)


def produced(connection: Connection, topic: str, scenario: str, **more: Any) -> list[Manifest]:
    facts: dict[str, Any] = {"run_id": RUN, "shards": 2, "seed": 7, "events": 6_000, "faults": HOT}
    asked = ProduceRequest(topic=topic, scenario=scenario, **(facts | more))
    return [produce_shard(connection, asked.for_shard(shard), stop=threading.Event()) for shard in range(asked.shards)]


@pytest.mark.parametrize(
    ("own", "name"),
    [(MACHINES, "avro"), (TRIPS, "avro"), (VISITS, "plain-json"), (EVERYTHING, "avro"), (EVERYTHING, "json")],
    ids=["machines", "trips", "visits-plain-json", "everything", "everything-json"],
)
def test_a_scenario_of_ones_own_is_told_again_with_every_fault_and_in_every_format(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path, own: tuple[dict[str, Any], str], name: str
) -> None:
    topic, file = topic_name("own"), write(tmp_path / "own", with_format(own, name))
    prepare(connection, topic, file)
    faults = FAULTS if own is not EVERYTHING else ("dropped=3", "tombstone=3", "undecodable=9", "duplicate=5")
    # More than one block of a shard, and several shards.
    shape = {"shards": 1, "events": 20_000} if own is MACHINES else {"shards": 2, "events": 4_000}
    manifests = produced(connection, topic, file, faults=faults, **shape)
    assert compared(connection, manifests, file) > 3_900
    with pytest.raises(Misconfigured, match="cannot be made again: unknown scenario 'own'") as refused:
        regenerated(manifests, connection=connection)
    assert "--scenario FILE, or STREAMPROOF_SCENARIO_PATH" in refused.value.hint
    assert regenerated(manifests, connection=connection, folders=[tmp_path / "own"]).key == find_scenario(file).key
    # Another file of the same name is another scenario.
    schema = Path(file).with_name("schema.avsc")
    schema.write_text(json.dumps(own[0] | {"doc": "changed"}))
    with pytest.raises(Misconfigured, match="the scenario file or its schema was changed"):
        regenerated(manifests, connection=connection, scenario=file)


def test_customers_are_told_again_with_every_fault(connection: Connection, topic_name: Callable[[str], str]) -> None:
    topic = topic_name("customers")
    prepare(connection, topic, "customer_events")
    manifests = produced(connection, topic, "customer_events")
    assert {LATE, HOT_KEY, CLOCK_SKEW, DROPPED} <= {kind for manifest in manifests for kind in manifest.injected}
    compared(connection, manifests)
    # One event alone, far from the others, and ranges beyond the end.
    told = regenerated(manifests)
    whole = pa.Table.from_batches(told.events(1, 0, 10**9)).to_pylist()
    assert len(whole) == 3_000
    assert next(told.events(1, 2_345, 2_346)).to_pylist() == whole[2_345:2_346]
    assert list(told.events(1, 3_000, 4_000)) == []
    assert pa.Table.from_batches(told.events(1, 2_990, 4_000)).to_pylist() == whole[2_990:]


@pytest.mark.parametrize("mixed", [{"next_version_share": 0.4}, {"next_version_ramp": True}], ids=["share", "ramp"])
def test_a_run_that_mixes_versions_has_null_where_the_older_one_has_no_column(
    connection: Connection, topic_name: Callable[[str], str], mixed: dict[str, Any]
) -> None:
    topic = topic_name("mixed")
    prepare(connection, topic, "customer_events", up_to=2)
    manifests = produced(connection, topic, "customer_events", **mixed)
    compared(connection, manifests)
    told = pa.Table.from_batches(regenerated(manifests).events(0, 0, 3_000))
    assert 0 < told.column("client_sent_at").null_count < 3_000
    assert told.column("client_sent_at").null_count >= manifests[0].versions[0].events


@pytest.mark.parametrize("options", [{}, {"users": 300}], ids=["events", "users"])
def test_clickstream_is_told_again_with_its_options(
    connection: Connection, topic_name: Callable[[str], str], options: dict[str, Any]
) -> None:
    topic = topic_name("clicks")
    prepare(connection, topic, "clickstream")
    events = None if options else 6_000
    faults = ("dropped=0.001", "late=0.001", "duplicate=0.001", "out_of_order=0.001")
    manifests = produced(connection, topic, "clickstream", events=events, faults=faults, options=options)
    assert compared(connection, manifests) > 1_000


@pytest.mark.parametrize("scenario", ["shop_events", "journey"])
def test_shoppers_and_journeys_are_told_again_with_every_fault(
    connection: Connection, topic_name: Callable[[str], str], scenario: str
) -> None:
    topic = topic_name(scenario)
    prepare(connection, topic, scenario)
    manifests = produced(connection, topic, scenario)
    assert {LATE, HOT_KEY, CLOCK_SKEW, DROPPED} <= {kind for manifest in manifests for kind in manifest.injected}
    assert compared(connection, manifests) > 5_900


def test_a_shard_that_was_stopped_and_continued_is_told_again_at_both_times(
    connection: Connection, topic_name: Callable[[str], str], stop_at: type[StopAt]
) -> None:
    topic = topic_name("stopped")
    prepare(connection, topic, "customer_events")
    asked = ProduceRequest(topic=topic, run_id=RUN, seed=7, events=12_000, faults=HOT, rate=12_000)
    display = stop_at(3_600, total=12_000)
    with pytest.raises(Interrupted):
        produce_shard(connection, asked, stop=display.stop, progress=display)
    control = read_control_topic(connection.kafka, topic)
    stopped = control.manifests[RUN, 0]
    assert 3_600 <= stopped.next_sequence < 12_000
    compared(connection, [stopped])
    whole = produce_shard(connection, asked, stop=threading.Event())
    assert (whole.resumed, whole.acknowledged + whole.dropped) == (1, 12_000)
    assert compared(connection, [whole]) > 11_600


def test_a_run_of_a_time_is_told_again(connection: Connection, topic_name: Callable[[str], str]) -> None:
    topic = topic_name("timed")
    prepare(connection, topic, "customer_events")
    faults = ("dropped=0.002", "altered=0.01", "late=0.01")
    timed = {"events": None, "faults": faults}
    # As fast as it goes, which is tens of thousands of events a second; and so many.
    paces = ({"seconds": 0.4}, {"seconds": 1.0, "rate": 4_000.0, "options": {"time_compression": 3_600}})
    for number, pace in enumerate(paces):
        manifests = produced(connection, topic, "customer_events", run_id=f"{RUN}/{number}", **timed, **pace)
        assert compared(connection, manifests) > 1_000


def test_events_that_were_refused_are_no_reason_to_disbelieve_nor_is_their_repair(
    connection: Connection, topic_name: Callable[[str], str]
) -> None:
    topic = topic_name("large")
    prepare(connection, topic, "customer_events")

    def allow(size_bytes: int) -> None:
        spec, limit = specs_for(topic)[0], {"max.message.bytes": str(size_bytes)}
        apply_topics(admin_client(connection.kafka), [replace(spec, config=spec.config | limit)], alter=True)

    allow(420)
    faults = ("altered=0.05", "out_of_order=0.05", "late=0.05")
    asked = ProduceRequest(topic=topic, run_id=RUN, seed=7, seconds=1.5, rate=40, faults=faults)
    with pytest.raises(RecordsUndelivered):
        produce_shard(connection, asked, stop=threading.Event())
    manifest = read_control_topic(connection.kafka, topic).manifests[RUN, 0]
    assert 0 < count(manifest.failed) < manifest.next_sequence
    assert compared(connection, [manifest]) > 0
    allow(1_000_000)
    repaired = produce_shard(connection, asked, stop=threading.Event())
    assert compared(connection, [repaired]) == repaired.next_sequence == manifest.next_sequence


def test_what_is_made_now_and_was_not_sent_is_refused(
    connection: Connection, topic_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = topic_name("other")
    prepare(connection, topic, "customer_events")
    (manifest,) = produced(connection, topic, "customer_events", shards=1, faults=())
    monkeypatch.setattr("producer.scenarios.customer_events.scenario._BLOCK_STREAM", 4)
    told = regenerated([manifest])
    with pytest.raises(DataRejected, match="made now are not those that were sent") as refused:
        next(told.events(0, 0, 1))
    assert "shard 0, sequences 0 to 256" in refused.value.where
    bare = manifest.model_copy(update={"crc": None})
    told = regenerated([bare])
    assert len(next(told.events(0, 0, 1))) == 1
    assert told.unproved == ["the manifest of shard 0 has no checksums of what was acknowledged"]
