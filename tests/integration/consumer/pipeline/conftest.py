"""Topics as somebody else's pipeline fills them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cluster.connection import Connection
from tests.kit.filled_topic import FilledTopic, fill_topic


@pytest.fixture
def filled_topic(connection: Connection, topic_name: Callable[[str], str]) -> Callable[..., FilledTopic]:
    """A factory of topics: ``filled_topic(partitions=2)``."""

    def make(partitions: int = 1, **config: str) -> FilledTopic:
        return fill_topic(connection, topic_name("filled"), partitions, **config)

    return make
