"""What is known of clients' keys is what the clients of this version say themselves."""

from __future__ import annotations

import zipfile

import confluent_kafka

from cluster.settings.java import known_keys
from cluster.settings.java.known_keys import is_known
from stack.parts.artifacts import cache_dir, ensure_artifacts
from stack.parts.client_keys import WRITTEN, constants, printed_keys


def test_the_keys_are_of_the_versions_that_are_used() -> None:
    """After an upgrade of Kafka or of its client: ``make client-keys``."""
    head = [line for line in WRITTEN.read_text().splitlines() if line.startswith("#")]
    version = ensure_artifacts(cache_dir()).kafka_version
    assert any(line.startswith(f"# Kafka {version}: ") for line in head)
    assert any(line.startswith(f"# librdkafka {confluent_kafka.libversion()[0]} ") for line in head)
    assert WRITTEN.samefile(known_keys.__file__.replace("known_keys.py", WRITTEN.name))


def test_every_key_that_a_client_documents_is_known() -> None:
    jars = list(ensure_artifacts(cache_dir()).kafka_jars)
    documented = printed_keys("org.apache.kafka.clients.consumer.ConsumerConfig", jars)
    assert len(documented) > 80
    assert [key for key in documented if not is_known(key)] == []


def test_constants_are_read_out_of_class_files() -> None:
    (jar,) = (jar for jar in ensure_artifacts(cache_dir()).kafka_jars if jar.name.startswith("kafka-clients-"))
    with zipfile.ZipFile(jar) as archive:
        found = dict(constants(archive.read("org/apache/kafka/common/config/SaslConfigs.class")))
    assert found["SASL_JAAS_CONFIG"] == "sasl.jaas.config"
    assert found["DEFAULT_SASL_MECHANISM"] == "GSSAPI"
