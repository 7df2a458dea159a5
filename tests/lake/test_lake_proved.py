"""What Spark took into a lake is proved, agrees with what our loader loaded, and each damage to it is named."""

from __future__ import annotations

import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cluster.connection import Connection
from consumer.lake.lake import LakeRequest, lake
from consumer.lake.published import read_published
from consumer.load.load import load
from producer import ProduceRequest, produce_shard
from stack.parts.spark import find_spark
from tests.kit.commands import streamproof
from tests.kit.fault_kinds import OF_AVRO

RUN = "lake/poison"
EVENTS = 3_000
FAULTS = (
    *("dropped=7", "tombstone=5", "undecodable=18", "hot_key=0.2", "out_of_order=25", "duplicate=9", "altered=21"),
    *("late=11,mean=20m", "clock_skew=1,by=-5m"),
)


def test_spark_and_our_loader_agree_on_poison_and_damage_to_the_lake_is_named(
    connection: Connection, ready_topic: str, tmp_path: Path
) -> None:
    injected: set[str] = set()
    for shard in range(2):
        request = ProduceRequest(
            topic=ready_topic, run_id=RUN, events=EVENTS, shards=2, shard=shard, seed=7, faults=FAULTS
        )
        manifest = produce_shard(connection, request, stop=threading.Event())
        injected |= {kind for kind, number in manifest.injected.items() if number}
    assert {kind for kind in OF_AVRO if kind.startswith("undecodable.")} <= injected
    folder = tmp_path / "lake"
    conf = {"spark.driver.defaultJavaOptions": "-XX:TieredStopAtLevel=1"}
    asked = LakeRequest((ready_topic,), folder, master="local[1]", max_records=1_000, conf=conf)
    lake(connection, asked, home=find_spark(), stop=threading.Event())
    # Parity: the same events, tombstones, checksums, and quarantined records by class, range by range.
    load(connection, ready_topic, tmp_path / "w.duckdb", stop=threading.Event())
    compared = streamproof("verify", folder / ready_topic, "--warehouse", tmp_path / "w.duckdb", "--json")
    assert compared.exit_code == 0, compared.text
    proof = compared.document["proofs"][1]
    assert (proof["name"], proof["verdict"]) == ("parity", "PASSED")
    published = read_published(folder / ready_topic)
    assert sum(batch.quarantined for batch in published.batches) > 0
    assert len(published.batches) > 1
    # Proof: every event, with its values; what was made unreadable on purpose is in the quarantine, and not expected.
    audit = ("audit", ready_topic, "--at", f"lake:{folder}", "--compare", "--json")
    proved = streamproof(*audit)
    assert (proved.exit_code, proved.document["contradictions"]) == (0, []), proved.text
    # Damage: a row edited, a file doubled into another batch, a file gone.
    first, last = published.batches[0], published.batches[-1]
    path = folder / ready_topic / first.events[0]
    whole = path.read_bytes()
    table = pq.read_table(path, partitioning=None)
    users = table.column("user_id").to_pylist()
    users[5] = "nobody"
    at = table.schema.get_field_index("user_id")
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(users, pa.string())), path)
    edited = streamproof(*audit).document
    assert (edited["verdict"], edited["altered"], edited["examples"]["altered"]) == (
        "FAILED", 1, [table.column("event_id")[5].as_py()]
    )  # fmt: skip
    path.write_bytes(whole)
    copy = folder / ready_topic / Path(last.events[0]).with_name("part-99999-0.parquet")
    copy.write_bytes(whole)
    copied = streamproof(*audit).document
    name = str(copy.relative_to(folder / ready_topic))
    assert copied["contradictions"] == [f"batch {last.batch_id}: {name} lies in its folder, and is not listed"]
    assert (copied["verdict"], copied["lost"], copied["duplicated"], copied["altered"]) == ("FAILED", 0, 0, 0)
    copy.unlink()
    path.unlink()
    gone = streamproof(*audit).document
    assert gone["verdict"] == "FAILED"
    assert gone["contradictions"][0].startswith(f"batch {first.batch_id}: {first.events[0]} is gone; partition ")
    assert len(gone["contradictions"]) == 1
    assert gone["lost"] > 0
