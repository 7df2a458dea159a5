"""A job that goes on, from the command line: it publishes what comes, keeps others out, and ends with its JVM."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable

import psutil
import pytest

from cluster.committed import committed_offsets
from consumer.lake.published import read_published
from tests.kit.commands import command_line, streamproof
from tests.kit.filled_topic import FilledTopic
from tests.kit.waiting import wait_until
from tests.lake.conftest import Lake

SCHEMA = {"type": "record", "name": "N", "fields": [{"name": "n", "type": "long"}]}
READY_S = 300
# Airflow kills five seconds after SIGTERM; the limit of the promise is 4 s.
END_S = 4.0


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Every process that a command has started: the job, the JVM and the JVM's workers."""
    return psutil.Process(process.pid).children(recursive=True)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


@pytest.mark.timeout(1500)
def test_a_followed_topic_is_published_as_it_comes_and_the_job_ends_with_its_jvm(
    new_topic: Callable[..., FilledTopic], new_lake: Callable[..., Lake]
) -> None:
    topic = new_topic()
    values = topic.avro(SCHEMA, ({"n": n} for n in range(300)))
    topic.send(values[:100])
    lake = new_lake(topic.name)
    checkpoints, group = lake.folder.with_name("checkpoints"), f"streamproof-{topic.name}"
    words = ["lake", topic.name, "--to", lake.folder, "--master", "local[1]"]
    words += ["--checkpoint", checkpoints, "--group", group]

    def listed() -> int:
        with contextlib.suppress(Exception):
            return sum(batch.rows for batch in read_published(lake.folder / topic.name).batches)
        return 0

    command = command_line(*words, "--follow", "--publish-every", "1s", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: listed() == 100, "the first batch", timeout_s=READY_S, while_runs=process)
            second = streamproof(*words)
            assert second.exit_code == 75, second.text
            assert "another job is at work" in second.text
            topic.send(values[100:200])
            wait_until(lambda: listed() == 200, "the second batch", timeout_s=READY_S, while_runs=process)
            started, began = family(process), time.monotonic()
            assert any("java" in one.name() for one in started)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
            took = time.monotonic() - began
            assert process.returncode == 0, err
            assert took < END_S
            assert json.loads(out)["topics"][0]["rows"] == 200
            wait_until(lambda: gone(started), "the JVM to be gone", timeout_s=END_S)
        finally:
            process.kill()

    # Killed itself, the command takes the job with it; the next one goes on.
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True) as process:
        topic.send(values[200:])
        wait_until(lambda: listed() == 300, "the third batch", timeout_s=READY_S, while_runs=process)
        started = family(process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        wait_until(lambda: gone(started), "the JVM to end with the command", timeout_s=10)
    again = streamproof(*words, "--json")
    assert again.exit_code == 0, again.text
    assert again.document["topics"][0]["rows"] == 0
    assert len(lake.held()) == 300
    # Lag tools see where the list is, and Spark's checkpoint is where it was asked for.
    told = committed_offsets(lake.connection.kafka).of(group, topic.name, [0], timeout_s=10)
    assert {each.partition: each.offset for each in told} == lake.listed().next_offsets
    assert (checkpoints / f"{topic.name}.checkpoint" / "offsets").is_dir()
    assert not (lake.folder / topic.name / "checkpoint").exists()
