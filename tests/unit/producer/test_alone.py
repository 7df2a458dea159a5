"""Two processes never send the same shard at the same time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cluster.errors import Busy
from producer.alone import alone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract socket names")

HOLD = """
from producer.alone import alone
with alone("broker:9092", "t", "r", 0):
    print("held", flush=True)
    input()
"""


def test_a_second_process_is_refused_until_the_first_has_died():
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy, match="another process") as caught, alone("broker:9092", "t", "r", 0):
            pass
        assert "run r, shard 0, topic t" in caught.value.where
        holder.kill()
        holder.wait(timeout=10)
    with alone("broker:9092", "t", "r", 0):
        pass


def test_other_shards_runs_topics_and_clusters_go_on_beside_it():
    with (
        alone("broker:9092", "t", "r", 0),
        alone("broker:9092", "t", "r", 1),
        alone("broker:9092", "t", "q", 0),
        alone("broker:9092", "u", "r", 0),
        alone("other:9092", "t", "r", 0),
    ):
        pass
