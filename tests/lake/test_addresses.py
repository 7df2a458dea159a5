"""The command says which address it lacks, before Spark is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.connection import Connection
from tests.kit.commands import streamproof
from tests.kit.filled_topic import FilledTopic


@pytest.mark.parametrize(("told", "lacks"), [("registry", "Kafka"), ("kafka", "the Schema Registry")])
def test_a_lake_names_the_address_that_it_lacks(
    connection: Connection, new_topic: Callable[..., FilledTopic], tmp_path: Path, told: str, lacks: str
) -> None:
    given = {
        "kafka": ("--bootstrap-servers", connection.kafka.bootstrap_servers),
        "registry": ("--registry-url", connection.registry.url),
    }
    words = ["lake", new_topic().name, "--to", tmp_path / "lake", *given[told], "--json"]
    error = streamproof(*words, env={"STREAMPROOF_STATE_DIR": str(tmp_path / "nowhere")}).document["error"]
    assert (error["exit_code"], error["message"]) == (78, f"no address of {lacks} is known")
