"""What the flags of a run come to: pace, TLS, properties, and what this machine reaches."""

from __future__ import annotations

import pytest

from cluster.connection import Connection
from cluster.errors import Misconfigured
from producer.preview.calibrate import calibrate
from producer.scenarios import Asked, contract_of, find_scenario
from schemas.formats.avro.codec import Encoder
from streamproof.flags.connection import Addresses
from streamproof.flags.run import connect, rate_of

HERE = Connection.of({"bootstrap_servers": "localhost:1"}, {"url": "http://localhost:1"})


def rate(scenario="clickstream", *, rate=None, shape=None, shards=2, **options):
    return rate_of(scenario, HERE, rate=rate, shape=shape, options=options, shards=shards)


def test_visitors_set_the_pace_unless_something_else_is_asked_for():
    assert rate() == 250.0
    assert rate(rate=0.0) == rate(no_delay="true") == rate(shape="constant(10)") == 0.0
    assert rate(rate=70.0) == 70.0
    assert rate("customer_events") == 0.0


def settings(**more):
    asked = {"ssl": False, "mtls": False} | more
    addresses = Addresses("kafka.example:9093", "https://r.example", asked.pop("properties", None))
    return connect(addresses, "customer_events", **asked).kafka


def test_tls_is_asked_for_by_a_flag_and_keeps_a_login(tmp_path):
    assert settings(ssl=True).security_protocol == "ssl"
    path = tmp_path / "client.properties"
    path.write_text(
        "sasl.mechanism=PLAIN\nsasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
        'username="me" password="hunter2";\nlinger.ms=5\n'
    )
    path.chmod(0o600)
    found = settings(ssl=True, properties=path)
    assert (found.security_protocol, found.sasl_username) == ("sasl_ssl", "me")


def test_mutual_tls_needs_a_certificate(tmp_path):
    with pytest.raises(Misconfigured, match="needs a client certificate"):
        settings(mtls=True)


@pytest.mark.parametrize("key", ["userid", None])
def test_a_calibration_runs_the_whole_path_into_a_sink_that_keeps_nothing(key):
    scenario = find_scenario("clickstream")
    stream = scenario.open(1, 0, scenario.settings(None, 0, Asked()))
    encoder = Encoder(contract_of(scenario).version(1).text, 1)
    found = calibrate(stream, encoder, key=key, identity="header", seconds=0.2)
    assert min(found.generated_per_s, found.encoded_per_s, found.delivered_per_s) > 100
