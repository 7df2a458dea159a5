"""Any schema that the gate takes goes the whole way; any other is refused in words, before anything is sent."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from tests.kit.any_schema import any_schema
from tests.kit.depth import WHOLE_WAYS
from tests.kit.topics import make_topic
from tests.kit.whole_way import refusal, refusals, scenario_of, whole_way


@given(schema=any_schema())
@settings(
    max_examples=WHOLE_WAYS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an example takes seconds: what fails is shown as it is
)
def test_any_schema_that_the_gate_takes_goes_the_whole_way(connection, topic_name, schema):
    topic = make_topic(connection, topic_name("any"))
    with tempfile.TemporaryDirectory() as name:
        folder, text = Path(name), json.dumps(schema)
        scenario = scenario_of(text, folder)
        refused = refusal(text)
        if refused is not None:
            assert all(refused in sentence for sentence in refusals(scenario, topic))
            return
        said = whole_way(scenario, topic, folder / "w.duckdb")
    assert said["verdict"] == "PASSED", said["reason"]
    assert said["not_compared"] == []
