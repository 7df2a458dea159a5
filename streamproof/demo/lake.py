"""From files to a proved lake and its table in Hive, without Airflow: what ``streamproof demo-lake`` does."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.admin import admin_client
from cluster.connection import Connection
from cluster.local import PROJECT_ROOT, state_dir
from cluster.topics import apply_topics, specs_for
from consumer.lake.hive.table import TABLE, TableRequest, fill_table
from consumer.lake.lake import LakeRequest, lake
from consumer.lake.published import TableFormat
from consumer.pipeline.asked import Asked, also_of
from consumer.pipeline.audit import audit_pipeline
from consumer.pipeline.stored.naming import stored_at
from producer import ProduceRequest, produce_feeds
from producer.regenerate import regenerated
from producer.scenarios import contract_of, find_scenario
from schemas.registry.contract import subject_for
from schemas.registry.gate import Registry, gate
from stack.parts.spark import find_spark
from streamproof.console import Output
from streamproof.demo.lake_view import show_result
from streamproof.demo.own_stack import own_stack
from streamproof.demo.steps import Step, Steps
from streamproof.signals import stop_on_signals

if TYPE_CHECKING:
    from cluster.machine.spark_home import SparkHome
    from consumer.lake.hive.aggregate import TableResult
    from consumer.lake.progress import LakeProgress, LakeResult
    from consumer.pipeline.result import PipelineResult

SAMPLES = PROJECT_ROOT / "samples" / "click_stream"
CLICKS, ARTICLES = "click_stream", "click_stream_metadata"
EVENT_TIME = "click_timestamp"
PROVED = "The lake holds each event that was sent, once and unaltered, and the table counts them as they were sent."
_WORST_FIRST = ("FAILED", "UNKNOWN", "PASSED")


@dataclass(frozen=True, slots=True)
class LakeDemo:
    """What is asked for.

    :ivar folder: of the files that are replayed.
    :ivar lake: folder of the lake.
    """

    folder: Path
    lake: Path
    master: str
    memory: str
    table_format: TableFormat = "parquet"
    table: str = TABLE
    run_id: str = field(default_factory=lambda: f"demo-lake/{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}")


def demo_lake(asked: LakeDemo, *, once: bool, output: Output) -> Mapping[str, Any]:
    """Replay files, write the lake, count the table, prove all; return the document of it all.

    :param once: stop at the end what this started.
    :raises Interrupted: told to stop; the lake goes on at the next time.
    """
    began, steps = time.monotonic(), Steps()
    with stop_on_signals() as stop, ExitStack() as ends:
        with steps.step("stack", moving=False) as step:
            home = find_spark(stop=stop)
            stack, stops = ends.enter_context(own_stack(state_dir(), stop, once=once))
            step.said = f"Kafka at {stack.bootstrap_servers}, the registry at {stack.registry_url}"
        connection = Connection.discover(bootstrap_servers=stack.bootstrap_servers, registry_url=stack.registry_url)
        told = _Rehearsal(asked, connection, home, stop).run(steps)
    result = {
        "run_id": asked.run_id,
        **told,
        "steps": steps.seconds,
        "seconds": round(time.monotonic() - began, 1),
        "stack_left_running": stops != "everything",
    }
    show_result(output, result)
    output.document(result)
    return result


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    """The steps that need a running stack."""

    asked: LakeDemo
    connection: Connection
    home: SparkHome
    stop: threading.Event

    def run(self, steps: Steps) -> dict[str, Any]:
        """Do them in order, and return what each came to."""
        with steps.step("topics") as step:
            self._topics(step)
        with steps.step("replay") as step:
            feeds = self._replay(step)
        with steps.step("lake") as step:
            written = self._lake(step)
        with steps.step("table") as step:
            table = self._table(step)
        audits = [self._audit(steps, name, *how) for name, how in self._proofs(table.folder).items()]
        verdict = next(verdict for verdict in _WORST_FIRST if verdict in {each["verdict"] for each in audits})
        reason = PROVED if verdict == "PASSED" else _reason(audits)
        return {
            "verdict": verdict,
            "reason": reason,
            "feeds": feeds,
            "lake": written.document(),
            "table": table.document(),
            "audits": audits,
        }

    def _topics(self, step: Step) -> None:
        """Create the topics, and register the contracts of both feeds."""
        for feed in (CLICKS, ARTICLES):
            apply_topics(admin_client(self.connection.kafka), specs_for(feed))
            with Registry(self.connection.registry) as registry:
                gate(registry, contract_of(find_scenario(feed)), subject_for(feed))
        step.said = f"{CLICKS}, {ARTICLES}"

    def _replay(self, step: Step) -> list[dict[str, Any]]:
        """Send the rows of the files, both feeds side by side."""
        requests = [
            ProduceRequest(
                topic=feed, run_id=self.asked.run_id, scenario=feed, options={"folder": str(self.asked.folder)}
            )
            for feed in (CLICKS, ARTICLES)
        ]
        results = produce_feeds(self.connection, requests, stop=self.stop)
        for result in results:
            if result.error is not None:
                raise result.error
        sent = {result.plan.topic: sum(each.acknowledged for each in result.manifests) for result in results}
        step.said = ", ".join(f"{events:,} to {topic}" for topic, events in sent.items())
        return [{"topic": topic, "acknowledged": events} for topic, events in sent.items()]

    def _lake(self, step: Step) -> LakeResult:
        """Write both topics to the lake."""

        def say(progress: LakeProgress) -> None:
            started = progress.ready_at is not None
            step.said = f"{progress.rows:,} events are published" if started else "Spark is starting"

        request = LakeRequest(
            (CLICKS, ARTICLES),
            self.asked.lake,
            master=self.asked.master,
            memory=self.asked.memory,
            table_format=self.asked.table_format,
            event_times={CLICKS: EVENT_TIME},
        )
        result = lake(self.connection, request, home=self.home, stop=self.stop, progress=say)
        rows = sum(topic.rows for topic in result.topics)
        step.said = f"{rows:,} events to {result.table_format}; Spark took {result.startup_seconds:.1f} s to start"
        return result

    def _table(self, step: Step) -> TableResult:
        """Bring the table in Hive up to what the lake publishes."""
        step.said = "Spark is starting"
        asked = self.asked
        request = TableRequest(asked.lake, CLICKS, ARTICLES, asked.table, master=asked.master, memory=asked.memory)
        result = fill_table(request, home=self.home, stop=self.stop, progress=lambda said: setattr(step, "said", said))
        step.said = f"{result.rows:,} rows in {result.hours:,} hours, of which {result.computed:,} were counted now"
        return result

    def _proofs(self, folder: str) -> dict[str, tuple[str, str, Asked]]:
        """Return what is to be proved: by the name of its step, the topic, the place, and how."""
        in_lake, compared = f"lake:{self.asked.lake}", Asked(compare=True)
        of_table = Asked(
            expectations=(Path("clicks_by_category"),), also=also_of([f"articles={ARTICLES}"]), all_runs=True
        )
        return {
            "clicks": (CLICKS, in_lake, compared),
            "articles": (ARTICLES, in_lake, compared),
            "counts": (CLICKS, folder, of_table),
        }

    def _audit(self, steps: Steps, name: str, topic: str, at: str, asked: Asked) -> dict[str, Any]:
        """Hold one place against what was sent."""
        with steps.step(name) as step:
            step.said = f"comparing {at}"
            result = audit_pipeline(
                self.connection,
                topic,
                stored_at(at, connection=self.connection, topic=topic),
                partial(regenerated, connection=self.connection),
                run_id=self.asked.run_id,
                asked=asked,
                stop=self.stop,
                progress=lambda so_far: setattr(step, "said", so_far.words),
            )
            step.said = _in_short(result)
        return {"of": name, "verdict": result.verdict, "at": at, "reason": result.reason}


def _reason(audits: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{each['of']}: {each['reason']}" for each in audits if each["verdict"] != "PASSED")


def _in_short(result: PipelineResult) -> str:
    """Return what an audit found as a line; what is wrong is told whole."""
    found = result.findings
    if result.verdict != "PASSED":
        return f"{result.verdict}: {result.reason}"
    if not found.identified:
        return f"PASSED: clicks, users and sessions of every hour are those of the {found.acknowledged:,} events sent"
    values = f"; the {len(found.compared)} values of each are those that were sent" if found.compared else ""
    return f"PASSED: {found.arrived:,} of {found.expected:,} events are there, once{values}"
