"""Two versions of a schema in one run: who is written with which, and what the next version says."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from cluster.errors import Misconfigured
from producer import ProduceRequest
from producer.plan.mixing import MixedEncoder, Mixing
from producer.preview.preview import preview
from producer.scenarios import find_scenario
from producer.send.supply import identified, with_later_columns
from schemas.formats.avro.codec import Decoder, Encoder
from schemas.formats.frame import split_frame
from schemas.manifest import SchemaUsed
from schemas.registry.contract import load_contract

EVENTS = 5_000
NUMBERS = np.arange(EVENTS, dtype=np.int64)
USED = (SchemaUsed(subject="s", version=1, id=11), SchemaUsed(subject="s", version=2, id=12))


@pytest.fixture(scope="module")
def block() -> pa.RecordBatch:
    scenario = find_scenario("customer_events")
    stream = scenario.open(7, 0, scenario.settings(EVENTS, 1_790_000_000_000))
    fields = {field["name"] for field in load_contract("customer_events").version(2).schema["fields"]}
    return with_later_columns(stream, 0, fields)


def test_a_share_of_the_events_is_written_with_the_next_version() -> None:
    newer = Mixing(7, 0, share=0.2).newer(NUMBERS)
    assert newer.mean() == pytest.approx(0.2, abs=0.02)
    assert (Mixing(7, 0, share=0.2).newer(NUMBERS[100:200]) == newer[100:200]).all()
    assert not Mixing(7, 0, share=0.0).newer(NUMBERS).any()
    assert Mixing(7, 0, share=1.0).newer(NUMBERS).all()


def test_a_ramp_goes_from_none_to_all() -> None:
    newer = Mixing(7, 0, ramp_over=EVENTS).newer(NUMBERS)
    tenths = [part.mean() for part in np.split(newer, 10)]
    assert tenths == pytest.approx([0.05 + number / 10 for number in range(10)], abs=0.06)


def test_versions_are_counted_without_what_was_not_written() -> None:
    mixing = Mixing(7, 0, share=0.3)
    newer = mixing.newer(NUMBERS)
    without = np.array([5, 5, 6, 9, 6000])
    older_count, newer_count = (row.events for row in mixing.written(USED, EVENTS, without))
    assert newer_count == newer.sum() - newer[[5, 6, 9]].sum()
    assert older_count + newer_count == EVENTS - 3


def test_each_value_names_the_version_that_it_was_written_with(block: pa.RecordBatch) -> None:
    contract = load_contract("customer_events")
    mixing = Mixing(7, 0, share=0.3)
    texts = {11: contract.version(1).text, 12: contract.version(2).text}
    mixed = MixedEncoder(
        Encoder(texts[11], 11),
        Encoder(texts[12], 12),
        mixing,
        lambda batch, encoder, numbers: identified(batch, encoder, "r", 0, numbers),
    )
    rows = block.slice(0, 300)
    mixed.verify(rows, NUMBERS[:300])
    newer = mixing.newer(NUMBERS[:300])
    decoders = {number: Decoder(json.dumps(json.loads(text))) for number, text in texts.items()}
    for number, value in enumerate(mixed.encode(rows, NUMBERS[:300])):
        schema_id, payload = split_frame(value)
        assert schema_id == (12 if newer[number] else 11)
        event = decoders[schema_id].decode_one(payload)
        assert event["user_id"] == rows.column("user_id")[number].as_py()
        assert ("client_sent_at" in event) == bool(newer[number])


def test_a_customer_stays_in_one_experiment(block: pa.RecordBatch) -> None:
    of_user: dict[str | None, set[str | None]] = {}
    for user, experiment in zip(
        block.column("user_id").to_pylist(), block.column("experiment").to_pylist(), strict=True
    ):
        of_user.setdefault(user, set()).add(experiment)
    assert {len(found) for found in of_user.values()} == {1}
    taking_part = [user for user, found in of_user.items() if found != {None}]
    assert len(taking_part) / len(of_user) == pytest.approx(0.4, abs=0.06)


def test_an_event_is_sent_soon_after_it_happened(block: pa.RecordBatch) -> None:
    times = block.column("timestamp").cast(pa.int64()).to_numpy()
    sent = block.column("client_sent_at").cast(pa.int64()).to_numpy()
    assert (sent >= times).all()
    assert sent.max() <= times.max()
    assert 100 < np.median(sent - times) < 300


def test_version_1_is_the_same_with_and_without_the_next(block: pa.RecordBatch) -> None:
    scenario = find_scenario("customer_events")
    alone = scenario.open(7, 0, scenario.settings(EVENTS, 1_790_000_000_000)).block(0)
    assert alone.equals(block.select(alone.schema.names))


def test_a_preview_of_version_2_shows_its_fields() -> None:
    found = preview("customer_events", events=500, schema_version=2)
    assert all(sample["client_sent_at"] for sample in found.samples)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"next_version_share": 1.5}, "must be 0 to 1"),
        ({"next_version_share": 0.5, "next_version_ramp": True}, "both given"),
        ({"next_version_ramp": True, "events": None, "endless": True}, "needs a number of events"),
        ({"next_version_ramp": True, "events": None, "seconds": 5}, "needs a number of events"),
        ({"faults": ("dupe=1",)}, "did you mean"),
    ],
)
def test_a_request_that_cannot_be_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        ProduceRequest(**{"topic": "t", "run_id": "r", "events": 10} | settings)  # type: ignore[arg-type]


def test_a_ramp_takes_its_number_of_events_from_a_rate_or_shape_too() -> None:
    for load in ({"rate": 10.0, "seconds": 3.0}, {"shape": "constant(10, 3s)"}):
        asked = {"topic": "t", "run_id": "r", "next_version_ramp": True} | load
        assert ProduceRequest(**asked).plan.target == 30  # type: ignore[arg-type]


def test_faults_and_versions_are_settings_of_the_run() -> None:
    plain = ProduceRequest(topic="t", run_id="r", events=10).plan.settings()
    assert (plain["faults"], plain["next_version"]) == (None, None)
    asked = ProduceRequest(
        topic="t", run_id="r", events=10, faults=("late=1%",), next_version_ramp=True
    ).plan.settings()
    assert (asked["faults"], asked["next_version"]) == ("late=0.01,mean=600s", "ramp")
