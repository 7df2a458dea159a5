"""Any two versions of a schema on the real stack: what the gate lets through never lands in the quarantine."""

from __future__ import annotations

import json
from pathlib import Path

from confluent_kafka import Producer
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.kit.commands import streamproof
from tests.kit.depth import examples
from tests.kit.schema_pairs import pairs, value_of
from tests.kit.topics import make_topic
from tests.kit.versions import framed


def test_what_the_gate_lets_through_is_loaded_and_what_it_refuses_has_a_path(connection, topic_name, tmp_path):
    producer = Producer({"bootstrap.servers": connection.kafka.bootstrap_servers})

    @given(st.data(), pairs(depth=2))
    @settings(max_examples=examples(3), deadline=None, phases=[Phase.generate])
    def play(data, versions):
        topic = make_topic(connection, topic_name("pair"))
        warehouse = tmp_path / f"{topic}.duckdb"
        for schema in versions:
            file = tmp_path / f"{topic}.avsc"
            file.write_text(json.dumps(schema))
            gated = gate(file, topic, warehouse, "refuse")
            if gated.exit_code == 65:  # only the second may be: it is another column, and allowed it is loaded too
                assert schema is versions[1]
                assert "so it gets the column" in gated.text
                gated = gate(file, topic, warehouse, "warn")
            assert gated.exit_code == 0, gated.text
            number = gated.document["versions"][0]["id"]
            rows = [value_of(data.draw, schema) for _ in range(3)]
            for value in framed(number, json.dumps(schema), rows):
                producer.produce(topic, value)
            assert producer.flush(20) == 0
            loaded = streamproof("load", topic, "--warehouse", warehouse, "--json")
            assert (loaded.exit_code, loaded.document["rows"], loaded.document["quarantined"]) == (0, 3, 0), loaded.text

    play()


def gate(file: Path, topic: str, warehouse: Path, conflicts: str):
    asked = ("--topic", topic, "--compatibility", "NONE", "--warehouse", warehouse, "--column-conflicts", conflicts)
    return streamproof("schemas", "gate", file, *asked, "--json")
