"""What an ordinary run leaves out of the hand edits is more of the same."""

from __future__ import annotations

import duckdb

from tests.integration.consumer.proof.edits.conftest import Delivered
from tests.integration.consumer.proof.edits.doors import sampled
from tests.integration.consumer.proof.edits.kinds import OF_EVENTS, OF_SAYINGS, OF_TABLES


def test_an_ordinary_run_tries_sixty_kinds_every_table_and_every_column_of_the_events(made: Delivered) -> None:
    tried = [edit.change for edits in (OF_EVENTS, OF_TABLES, OF_SAYINGS) for edit in sampled(edits)]
    with duckdb.connect(str(made.warehouse), read_only=True) as file:
        tables = [name for (name,) in file.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        columns = [name for name, *_ in file.execute("DESCRIBE events").fetchall()]
    assert len(tried) >= 60
    assert [name for name in tables if not any(f" {name}" in change for change in tried)] == []
    assert [name for name in columns if not any(f"UPDATE events SET {name} =" in change for change in tried)] == []
