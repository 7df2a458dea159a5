"""What groups have committed is read by one way alone: another one can end the process."""

from __future__ import annotations

from pathlib import Path

from cluster.local import PROJECT_ROOT

PACKAGES = ("cluster", "schemas", "producer", "consumer", "plugins", "stack", "streamproof", "dags")


def test_nobody_asks_the_administrator_for_the_offsets_of_a_group() -> None:
    files = [file for package in PACKAGES for file in (PROJECT_ROOT / package).rglob("*.py")]
    assert len(files) > 400
    asking = [file for file in files if ".list_consumer_group_offsets(" in Path(file).read_text()]
    assert asking == []
