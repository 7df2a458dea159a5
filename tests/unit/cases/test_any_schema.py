"""Any schema that is taken is generated, encoded, read, stored and given back the same; others are refused in words."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings

from cluster.errors import Misconfigured
from producer.preview.preview import preview
from producer.scenarios import find_scenario
from producer.send.supply import identified
from schemas.formats.avro.codec import Decoder, Encoder
from schemas.formats.frame import HEADER_BYTES
from schemas.types.tree import parse
from tests.kit.any_schema import any_schema
from tests.kit.depth import examples
from tests.kit.edge_values import Edges, same
from tests.kit.table_trip import through_a_table
from tests.kit.whole_way import EVENTS, refusal, scenario_of


@given(any_schema())
@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_schema_is_generated_encoded_read_stored_and_given_back_the_same_or_refused_in_words(schema):
    text = json.dumps(schema)
    with tempfile.TemporaryDirectory() as folder:
        scenario = scenario_of(text, Path(folder))
        refused = refusal(text)
        if refused is not None:
            event("refused")
            with pytest.raises(Misconfigured, match=re.escape(refused)):
                preview(str(scenario), events=EVENTS)
            return
        root = parse(text)
        assert preview(str(scenario), events=EVENTS).events == EVENTS
        found = find_scenario(str(scenario))
        block = found.open(1, 0, found.settings(EVENTS, 1_790_000_000_000)).block(0)
    encoder, decoder = Encoder(text, 1), Decoder(text)
    rows = identified(block, encoder, "run", 0, np.arange(len(block)), identity=found.identity)
    values = encoder.encode(rows).to_pylist()
    payloads = [value[HEADER_BYTES:] for value in values]
    assert len(payloads) == EVENTS
    batch = decoder.decode(payloads)
    assert repr(batch.to_pylist()) == repr(decoder.decode_strictly(payloads).to_pylist())
    edges = [Edges(root).row(number) for number in range(EVENTS)]
    written = [payload for payload, _ in edges]
    read = decoder.decode(written)
    for row, (_, right) in zip(read.to_pylist(), edges, strict=True):
        assert same(row, right), (row, right)
    assert [value[HEADER_BYTES:] for value in encoder.encode(through_a_table(root, batch)).to_pylist()] == payloads
    assert [value[HEADER_BYTES:] for value in encoder.encode(through_a_table(root, read)).to_pylist()] == written
