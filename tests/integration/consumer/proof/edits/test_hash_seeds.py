"""What is loaded and how it is judged does not depend on the order of hashes in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.consumer.proof.edits.conftest import Delivered
from tests.kit.depth import HASH_SEEDS

SCRIPT = Path(__file__).parents[1] / "judged_in_a_process.py"


def judged(topic: str, warehouse: Path, seed: int) -> dict[str, Any]:
    """Load and judge a topic in a process with this seed."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), topic, str(warehouse)],
        env=os.environ | {"PYTHONHASHSEED": str(seed)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_load_stores_and_an_audit_says_the_same_under_every_hash_seed(made: Delivered, tmp_path: Path) -> None:
    first = judged(made.topic, tmp_path / "first.duckdb", 0)
    assert first["said"]["plain"]["verdict"] == first["said"]["faulted"]["verdict"] == "PASSED"
    assert {proof["verdict"] for proof in first["said"]["proofs"]} == {"PASSED"}
    for seed in range(1, HASH_SEEDS):
        again = judged(made.topic, tmp_path / f"{seed}.duckdb", seed)
        assert again["stored"] == first["stored"], f"seed {seed} stores something else"
        assert again["said"] == first["said"], f"seed {seed} says something else"
