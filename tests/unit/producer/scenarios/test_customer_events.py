"""customer_events: the same seed gives the same bytes, and figures that a service would show."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cluster.errors import Misconfigured
from producer.scenarios import Asked, find_scenario
from producer.scenarios.customer_events.scenario import CustomerEvents, CustomerStream
from producer.scenarios.customer_events.world.daytime import ZONES, window
from producer.scenarios.customer_events.world.tables import RHYTHM
from producer.send.supply import identified
from producer.toolkit.ids import event_ids, numbered
from schemas.formats.avro.codec import Encoder
from schemas.identity import event_id
from schemas.registry.contract import load_contract
from tests.kit.depth import DEEP

START_MS = 1_780_000_000_000
BLOCK = 4000


def open_stream(*, seed: int = 7, shard: int = 0, planned: int = 3 * BLOCK) -> CustomerStream:
    scenario = CustomerEvents()
    return scenario.open(seed, shard, scenario.settings(planned, START_MS) | {"block_events": BLOCK})


def digest(stream: CustomerStream, number: int) -> str:
    encoder = Encoder(load_contract("customer_events").version(1).text, 1)
    sequences = np.arange(number * BLOCK, (number + 1) * BLOCK, dtype=np.int64)
    values = encoder.encode(identified(stream.block(number), encoder, "a run", 0, sequences))
    return hashlib.sha256(b"".join(values.to_pylist())).hexdigest()


@pytest.fixture(scope="module")
def stream() -> CustomerStream:
    return open_stream()


def test_blocks_are_the_same_in_any_order(stream):
    forwards = [digest(stream, number) for number in (0, 1, 2)]
    backwards = [digest(stream, number) for number in (2, 1, 0)]
    assert forwards == backwards[::-1]
    assert len(set(forwards)) == 3


def test_a_fresh_process_writes_the_same_bytes(stream):
    program = (
        "import sys, importlib.util as u;"
        "spec = u.spec_from_file_location('scenario_test', sys.argv[1]); m = u.module_from_spec(spec);"
        "spec.loader.exec_module(m); print(m.digest(m.open_stream(), 1))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, __file__], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == digest(stream, 1)


def test_seed_and_shard_make_other_events(stream):
    same = digest(stream, 0)
    assert digest(open_stream(seed=8), 0) != same
    assert digest(open_stream(shard=1), 0) != same


def test_shards_share_the_catalogue_and_no_customer(stream):
    other = open_stream(shard=1)
    assert other.catalogue.contents.equals(stream.catalogue.contents)
    assert not set(other.population.user_ids.to_pylist()) & set(stream.population.user_ids.to_pylist())


def test_event_ids_are_those_of_the_identity_contract():
    sequences = np.array([0, 1, 255, 70_000, 2**31, 2**40 + 5], dtype=np.int64)
    assert event_ids("run", 4095, sequences).to_pylist() == [event_id("run", 4095, n) for n in sequences.tolist()]


def test_an_event_id_beyond_the_column_is_refused():
    with pytest.raises(ValueError, match="too large"):
        event_ids("run", 0, np.array([2**60 + 1], dtype=np.int64))


def test_numbers_are_padded_hexadecimal():
    assert numbered("s-", np.array([0, 255, 70_000]), 5).to_pylist() == ["s-00000", "s-000ff", "s-11170"]


def test_the_encoder_agrees_with_the_reference_library(stream):
    encoder = Encoder(load_contract("customer_events").version(1).text, 1)
    encoder.verify(identified(stream.block(0), encoder, "run", 0, np.arange(BLOCK, dtype=np.int64)), rows=500)


def test_a_newer_schema_gets_null_for_what_the_scenario_does_not_know(stream):
    encoder = Encoder(load_contract("customer_events").version(2).text, 1)
    batch = identified(stream.block(0), encoder, "run", 0, np.arange(BLOCK, dtype=np.int64))
    added = set(encoder.arrow_schema.names) - set(stream.block(0).schema.names) - {"event_id"}
    assert added
    assert all(batch.column(name).null_count == BLOCK for name in added)
    encoder.verify(batch)


def test_sizes_mix_and_skew_are_those_of_the_documentation(stream):
    scenario = CustomerEvents()
    large = scenario.open(3, 0, scenario.settings(60_000, START_MS))
    block = large.block(0)
    encoder = Encoder(load_contract("customer_events").version(1).text, 1)
    values = encoder.encode(identified(block, encoder, "run", 0, np.arange(len(block), dtype=np.int64)))
    assert 450 <= sum(map(len, values.to_pylist())) / len(block) <= 670
    mix = Counter(block.column("event_type").to_pylist())
    assert 0.40 <= mix["browse"] / len(block) <= 0.50
    assert 0.30 <= mix["content_play"] / len(block) <= 0.42
    assert 0.14 <= mix["search"] / len(block) <= 0.24
    played = block.column("content").drop_null()
    most = Counter(pc.struct_field(played, "id").to_pylist()).most_common(100)
    assert sum(number for _, number in most) > 0.25 * len(played), "popularity is skewed"


def test_the_mix_is_the_same_at_both_ends_of_a_block(stream):
    scenario = CustomerEvents()
    block = scenario.open(3, 0, scenario.settings(60_000, START_MS)).block(0)
    shares = [
        Counter(block.column("event_type")[start : start + 20_000].to_pylist())["content_play"] / 20_000
        for start in (0, 20_000, 40_000)
    ]
    assert max(shares) - min(shares) < 0.08


def test_blocks_are_even_so_that_the_last_is_whole():
    settings = CustomerEvents().settings(100_000, START_MS)
    assert settings["block_events"] == 50_000


def test_a_small_run_is_a_whole_block():
    assert CustomerEvents().settings(10, START_MS)["block_events"] == 10


@pytest.mark.parametrize("seed", [1, 2, 3] if DEEP else [1])
def test_a_run_of_any_small_size_is_filled(seed):
    stream = open_stream(seed=seed)
    for events in range(1, 60):
        stream.block_events = events
        assert stream.block(0).num_rows == stream.block(1).num_rows == events


def test_more_events_than_the_calendar_holds_are_refused_with_a_way_out():
    with pytest.raises(Misconfigured, match="at most"):
        CustomerEvents().settings(10**12, START_MS)


def test_an_unknown_scenario_names_the_nearest():
    with pytest.raises(Misconfigured, match="customer_events"):
        find_scenario("customer_event")


def compressed(compression: float, *, rate: float, planned: int = 500_000, shards: int = 1) -> dict[str, Any]:
    asked = Asked(shards=shards, rate=rate, options={"time_compression": compression})
    return CustomerEvents().settings(planned, START_MS, asked)


def test_time_compression_says_how_fast_event_time_passes():
    settings = compressed(4000, rate=8000)
    assert settings["block_events"] / settings["block_span_ms"] == pytest.approx(8000 / 4000 / 1000)
    stream = CustomerEvents().open(1, 0, settings)
    block = stream.block(0)
    times = pc.cast(block.column("timestamp"), pa.int64()).to_numpy()
    assert np.ptp(times) / settings["block_span_ms"] == pytest.approx(1, abs=0.35), "a day's rhythm stretches it"


def test_event_time_can_pass_as_fast_as_the_clock():
    settings = compressed(1, rate=2, planned=30_000)
    assert settings["block_span_ms"] == pytest.approx(30_000 / 2 * 1000)
    assert CustomerEvents().open(1, 0, settings).block(0).num_rows == 30_000


def test_more_than_the_customers_do_is_refused_with_what_would_do():
    with pytest.raises(Misconfigured) as raised:
        compressed(100, rate=1000)
    assert "at least 440" in raised.value.hint
    assert "5 times as many shards" in raised.value.hint
    assert compressed(440, rate=1000)["block_events"] == 65_454
    assert compressed(100, rate=1000, shards=5)["block_events"] == 57_600


def test_time_compression_without_a_rate_is_refused():
    with pytest.raises(Misconfigured, match="rate"):
        compressed(10, rate=0)


def test_event_time_ends_when_the_run_starts_and_begins_whole_blocks_earlier():
    scenario = CustomerEvents()
    settings = scenario.settings(200_000, START_MS)
    stream = scenario.open(1, 0, settings)
    last = pc.cast(stream.block(3).column("timestamp"), pa.int64()).to_numpy()
    assert START_MS - 60_000 < last.max() < START_MS
    assert last.min() > pc.cast(stream.block(2).column("timestamp"), pa.int64()).to_numpy().max()


def test_daylight_saving_time_moves_the_rhythm_by_an_hour():
    march = int(dt.datetime(2026, 3, 29, tzinfo=dt.UTC).timestamp() * 1000)
    paris = ZONES.index("Europe/Paris")
    before, after = (window(at, at + 3_600_000, lead_ms=0).mass[paris] for at in (march - 3_600_000, march + 3_600_000))
    # Midnight to one, and then three to four o'clock: two is not there.
    assert before / after == pytest.approx(RHYTHM[0] / RHYTHM[3])
