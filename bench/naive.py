"""The straightforward way: Faker for every field, a dictionary for every event, and Confluent's AvroSerializer.

Nothing here is slow on purpose. It is what a good engineer writes in an afternoon: one Faker for the run, one
serializer with its schema parsed once, one idempotent producer with the settings of `produce`, reports counted by a
callback, and `poll(0)` for each event. It keeps no customer, no session and no rule: those would cost it more.
"""

from __future__ import annotations

import random
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, StringSerializer
from faker import Faker

from bench.cases import CUSTOMER_EVENTS, ready_topic
from bench.produce import ROUNDS, delivered
from bench.rows import compared, row
from cluster.connection import Connection
from schemas.registry.contract import load_contract

GOAL = 60.0
# Enough for a few seconds: it is slow.
EVENTS = 15_000
_TYPES = (("browse", 0.4), ("search", 0.2), ("content_play", 0.4))
_QUALITIES = ("480p", "720p", "1080p", "4K")
_GENRES = ("drama", "comedy", "thriller", "documentary", "sports")


def run(connection: Connection, events: int) -> list[dict[str, Any]]:
    """Measure both ways of making and delivering `customer_events`."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(delivered(connection, CUSTOMER_EVENTS, events))
        theirs.append(naive(connection, min(events, EVENTS)))
    return [
        compared(
            "customer_events: delivered by one process", ours, "Faker and AvroSerializer, a loop", theirs, goal=GOAL
        )
    ]


def naive(connection: Connection, events: int) -> dict[str, Any]:
    """Generate and deliver ``events`` events in a loop."""
    acknowledged = size = 0

    def report(error: KafkaError | None, message: Message) -> None:
        nonlocal acknowledged, size
        if error is not None:
            raise RuntimeError(str(error))
        acknowledged += 1
        size += len(message.value() or b"")

    with ready_topic(connection, CUSTOMER_EVENTS) as topic:
        registry = SchemaRegistryClient({"url": connection.registry.url, "timeout": 10})
        serializer = AvroSerializer(registry, load_contract("customer_events").version(1).text)
        key_of, context = StringSerializer(), SerializationContext(topic, MessageField.VALUE)
        producer = Producer(
            connection.kafka.as_librdkafka(
                enable_idempotence=True,
                acks="all",
                compression_type="lz4",
                linger_ms=20,
                batch_size=512 * 1024,
            )
            | {"on_delivery": report}
        )
        fake, chance = Faker(), random.Random(1)
        users = [fake.uuid4() for _ in range(1000)]
        started, cpu = time.perf_counter(), time.process_time()
        for _ in range(events):
            event = _event(fake, chance, users)
            producer.produce(topic, value=serializer(event, context), key=key_of(event["user_id"]))
            producer.poll(0)
        producer.flush(60)
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        registry.close()
    if acknowledged != events:
        raise RuntimeError(f"{acknowledged} of {events} events were acknowledged")
    return row("Faker and AvroSerializer, a loop", events, seconds, cpu_s, value_bytes=size / events)


def _event(fake: Faker, chance: random.Random, users: list[str]) -> dict[str, Any]:
    now = datetime.now(UTC)
    kind = chance.choices([name for name, _ in _TYPES], [weight for _, weight in _TYPES])[0]
    plays = kind == "content_play"
    return {
        "event_id": str(uuid.uuid4()),
        "event_type": kind,
        "user_id": chance.choice(users),
        "session_id": str(uuid.uuid4()),
        "timestamp": now,
        "device": {
            "type": chance.choice(("phone", "tablet", "tv", "desktop")),
            "os": chance.choice(("iOS", "Android", "Windows", "macOS")),
            "os_version": fake.numerify("##.#"),
            "app_version": fake.numerify("#.##.#"),
            "model": fake.word(),
        },
        "location": {
            "country": fake.country_code(),
            "city": fake.city(),
            "region": fake.state(),
            "timezone": fake.timezone(),
        },
        "content": _content(fake, chance) if kind != "search" else None,
        "subscription": {
            "plan": chance.choice(("basic", "standard", "premium")),
            "start_date": fake.date_between("-3y"),
            "billing_cycle": chance.choice(("monthly", "annual")),
            "connected_services": [fake.company() for _ in range(chance.randint(0, 2))],
        },
        "details": _details(chance) if plays else None,
        "actions": [_action(chance, now) for _ in range(chance.randint(2, 4))] if plays else [],
        "recommendations": [_recommendation(chance, place) for place in range(chance.randint(0, 5))],
        "search_history": [_search(fake, chance, now) for _ in range(chance.randint(0, 2))],
    }


def _content(fake: Faker, chance: random.Random) -> dict[str, Any]:
    series = chance.random() < 0.4
    return {
        "id": f"c{chance.randrange(2000):05d}",
        "title": fake.sentence(nb_words=3),
        "type": "series" if series else "movie",
        "episode": chance.randint(1, 12) if series else None,
        "season": chance.randint(1, 6) if series else None,
        "provider": fake.company(),
        "genre": chance.choice(_GENRES),
        "release_year": chance.randint(1980, 2025),
        "duration": chance.randint(1200, 9000),
        "language": fake.language_code(),
    }


def _details(chance: random.Random) -> dict[str, Any]:
    percentage = chance.random() * 100
    return {
        "play_duration": chance.randint(10, 7200),
        "play_percentage": percentage,
        "playback_quality": chance.choice(_QUALITIES),
        "buffering_incidents": chance.randint(0, 4),
        "playback_speed": chance.choice((1.0, 1.25, 1.5)),
        "paused": chance.random() < 0.3,
        "completed": percentage > 90,
        "network_type": chance.choice(("wifi", "5G", "4G", "ethernet")),
        "bandwidth": chance.random() * 100,
    }


def _action(chance: random.Random, now: datetime) -> dict[str, Any]:
    return {
        "action_type": chance.choice(("play", "pause", "resume", "seek", "stop")),
        "timestamp": now - timedelta(seconds=chance.randint(0, 3600)),
        "duration": chance.randint(1, 3600),
        "completed": chance.random() < 0.5,
        "old_quality": None,
        "new_quality": None,
        "old_speed": None,
        "new_speed": None,
    }


def _recommendation(chance: random.Random, place: int) -> dict[str, Any]:
    return {
        "content_id": f"c{chance.randrange(2000):05d}",
        "position": place + 1,
        "algorithm": chance.choice(("collaborative", "trending", "similar")),
        "clicked": chance.random() < 0.1,
    }


def _search(fake: Faker, chance: random.Random, now: datetime) -> dict[str, Any]:
    return {
        "search_id": str(uuid.uuid4()),
        "timestamp": now - timedelta(seconds=chance.randint(0, 3600)),
        "query": fake.word(),
        "results_count": chance.randint(0, 200),
    }
