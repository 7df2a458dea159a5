"""``streamproof topics apply|diff``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cluster.errors import DataRejected
from streamproof.console import Output, plain
from streamproof.flags.common import ExitCodeFlag, JsonFlag
from streamproof.flags.connection import KafkaAddress, takes_addresses

if TYPE_CHECKING:  # the commands import them when they run: starting up stays light
    from cluster.topics import TopicChange, TopicSpec

FileFlag = Annotated[Path | None, typer.Option("--file", help="Declaration to use instead of cluster/topics.yaml.")]
TopicFlag = Annotated[
    str | None, typer.Option("--topic", help="Only this topic and its control topic; it need not be declared.")
]
_REMEDY = {"alter": "--alter changes it", "impossible": "Kafka cannot change it", "none": "not declared, left alone"}


def register(app: typer.Typer) -> None:
    """Add ``topics``."""
    topics = typer.Typer(help="Create the declared topics, and show where they differ.", no_args_is_help=True)
    app.add_typer(topics, name="topics")
    topics.command("apply")(apply)
    topics.command("diff")(diff)


@takes_addresses
def apply(
    *,
    file: FileFlag = None,
    topic: TopicFlag = None,
    alter: Annotated[
        bool, typer.Option("--alter", help="Add partitions and change the configuration of topics that differ.")
    ] = False,
    addresses: KafkaAddress,
    as_json: JsonFlag = False,
) -> None:
    """Create what is missing, and wait until every partition has a leader."""
    from cluster.topics import admin_client, apply_topics

    output = Output(as_json)
    specs = _specs(file, topic)
    kafka = addresses.connect().kafka
    results = apply_topics(admin_client(kafka), specs, alter=alter)
    for result in results:
        info = result.info
        output.show(
            f"[bold]{result.name}[/] {result.action}: "
            f"{_many(info.partitions, 'partition')}, {_many(info.replication_factor, 'replica')}, id {info.topic_id}"
        )
        if result.action == "differs":
            output.show(_table(result.changes))
    output.document(
        {
            "topics": [
                {
                    "name": result.name,
                    "action": result.action,
                    "partitions": result.info.partitions,
                    "replication_factor": result.info.replication_factor,
                    "topic_id": result.info.topic_id,
                    "changes": [_document(change) for change in result.changes],
                }
                for result in results
            ]
        }
    )


@takes_addresses
def diff(
    *,
    file: FileFlag = None,
    topic: TopicFlag = None,
    exit_code: ExitCodeFlag = False,
    addresses: KafkaAddress,
    as_json: JsonFlag = False,
) -> int:
    """Show where the cluster differs from the declaration; change nothing."""
    from cluster.topics import admin_client, diff_topics

    output = Output(as_json)
    specs = _specs(file, topic)
    kafka = addresses.connect().kafka
    diffs = diff_topics(admin_client(kafka), specs)
    for found in diffs:
        if found.info is None:
            output.show(f"[bold]{found.spec.name}[/] does not exist; `topics apply` creates it")
        elif not found.changes:
            output.show(f"[bold]{found.spec.name}[/] is as declared")
        else:
            output.show(f"[bold]{found.spec.name}[/] differs", _table(found.changes))
    differing = [found.spec.name for found in diffs if found.info is None or found.changes]
    document = {
        "differs": bool(differing),
        "topics": [
            {
                "name": found.spec.name,
                "exists": found.info is not None,
                "changes": [_document(change) for change in found.changes],
            }
            for found in diffs
        ],
    }
    error = None
    if exit_code and differing:
        error = DataRejected(
            f"not as declared: {', '.join(differing)}", hint="`streamproof topics apply` creates what is missing"
        )
    return output.ended(document, error)


def _specs(file: Path | None, topic: str | None) -> list[TopicSpec]:
    from cluster.topics import load_topics, specs_for

    return specs_for(topic, file) if topic is not None else load_topics(file)


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _table(changes: tuple[TopicChange, ...]) -> Table:
    table = Table("setting", "declared", "actual", "remedy", box=None, header_style="dim")
    for change in changes:
        table.add_row(
            change.setting, plain(change.declared or "-"), plain(change.actual or "-"), _REMEDY[change.remedy]
        )
    return table


def _document(change: TopicChange) -> dict[str, Any]:
    return {
        "setting": change.setting,
        "declared": change.declared,
        "actual": change.actual,
        "remedy": change.remedy,
    }
