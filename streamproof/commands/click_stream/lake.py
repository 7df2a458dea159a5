"""``streamproof lake``: take topics into a folder of Parquet or Delta with Spark, exactly once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.errors import EXIT_OK, Misconfigured
from streamproof.console import Output, plain
from streamproof.flags.click_stream_env import EnvFileFlag, click_stream_env
from streamproof.flags.common import JsonFlag
from streamproof.flags.connection import Addresses, takes_addresses
from streamproof.flags.follow import FollowFlag, ForFlag
from streamproof.flags.hive import CLICKED_AT, HiveFlag, MetastoreFlag, hive_asked
from streamproof.flags.values import SchemaFlag

if TYPE_CHECKING:
    from consumer.lake.progress import LakeResult

FORMATS = ("parquet", "delta")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(lake)


@takes_addresses
def lake(
    topics: Annotated[list[str] | None, typer.Argument(metavar="TOPIC...", help="Topics to take.")] = None,
    *,
    to: Annotated[
        str | None, typer.Option("--to", metavar="FOLDER", help="The lake: each topic is a folder in it.")
    ] = None,
    table_format: Annotated[
        str, typer.Option("--format", metavar="|".join(FORMATS), help="What the events are kept as.")
    ] = "parquet",
    event_time: Annotated[
        list[str] | None,
        typer.Option(
            "--event-time",
            metavar="[TOPIC=]FIELD",
            help="Field whose hour the folders go by: a timestamp, or milliseconds since 1970. Without it, the time of "
            "the Kafka record. Repeat it for several topics.",
        ),
    ] = None,
    follow: FollowFlag = False,
    for_: ForFlag = None,
    publish_every: Annotated[
        str | None,
        typer.Option("--publish-every", metavar="DURATION", help="With --follow: how often to publish; 5s by default."),
    ] = None,
    master: Annotated[
        str | None,
        typer.Option("--master", metavar="MASTER", help="Spark's master: spark://host:port. local[*] by default."),
    ] = None,
    memory: Annotated[
        str, typer.Option("--memory", metavar="SIZE", help="Memory of Spark's JVM, as Java writes it.")
    ] = "700m",
    max_records: Annotated[
        int, typer.Option("--max-records", min=1, help="Records that a batch holds at most.")
    ] = 500_000,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="If a topic was recreated: rename its folder, begin a new one.")
    ] = False,
    accept_gap: Annotated[
        bool, typer.Option("--accept-gap", help="If retention deleted unread records: note it in the list, go on.")
    ] = False,
    schema: SchemaFlag = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="FOLDER",
            help="Folder of Spark's checkpoints; by default each is beside the data that it is of.",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="NAME",
            help="Consumer group that is told how far the lake is, for lag tools; streamproof-lake-TOPIC by default. "
            "Nothing starts from what it says.",
        ),
    ] = None,
    hive: HiveFlag = None,
    metastore: MetastoreFlag = None,
    env_file: EnvFileFlag = None,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> int:
    """Take every record that is in topics now into a lake, exactly once, with Spark.

    Each batch is there for readers at once, when the list committed.json names it, or not at all. Stopped or killed at
    any moment, the same command continues behind the last batch that is listed. `make lake` installs Spark. With
    --hive it then brings a Hive table up to what is published: only the hours that changed are counted again.
    """
    from consumer.lake.hive.table import fill_table
    from consumer.lake.lake import PUBLISH_S, LakeRequest
    from consumer.lake.lake import lake as take
    from consumer.lake.published import COMMITTED
    from stack.parts.spark import find_spark
    from streamproof.flags.follow import FollowFlags
    from streamproof.flags.values import told_schema
    from streamproof.signals import stop_on_signals
    from streamproof.views.hive import show_table, shown_table
    from streamproof.views.lake import shown_lake

    if table_format not in FORMATS:
        raise Misconfigured(
            f"there is no format {table_format}", where="--format", hint=f"Give one of {', '.join(FORMATS)}"
        )
    pace = FollowFlags.read(follows=follow, for_=for_, commit_every=None, publish_every=publish_every)
    told = click_stream_env(env_file)
    names = list(topics or ()) or [name for name in (told.topic, told.metadata_topic) if name]
    if not names:
        raise Misconfigured("no topic is named", hint="Give the topics: streamproof lake TOPIC... --to FOLDER")
    folder, master = _folder(to, told.parquet), master or told.master or "local[*]"
    table = hive_asked(hive, metastore, names, folder, master, memory, follow=follow)
    times = _event_times(event_time or [], names)
    if table is not None and not (folder / names[0] / COMMITTED).exists():
        times.setdefault(names[0], CLICKED_AT)  # the hours of the table are those of the folders
    request = LakeRequest(
        topics=tuple(names),
        folder=folder,
        master=master,
        table_format="delta" if table_format == "delta" else "parquet",
        event_times=times,
        max_records=max_records,
        memory=memory,
        follow=follow,
        publish_s=pace.publish_s or PUBLISH_S,
        for_s=pace.for_s,
        accept_gap=accept_gap,
        set_aside=set_aside,
        plain=told_schema(None, schema),
        checkpoints=checkpoint if checkpoint is not None else told.checkpoint,
        group=group or told.group,
    )
    connection, output = addresses.connect(otherwise=told.kafka), Output(as_json)
    with stop_on_signals() as stop:
        home, filled = find_spark(stop=stop), None
        with shown_lake() as progress:
            result = take(connection, request, home=home, stop=stop, progress=progress)
        if table is not None:
            with shown_table(table.table) as say:
                filled = fill_table(table, home=home, stop=stop, progress=say)
    output.document(result.document() | {"hive": None if filled is None else filled.document()})
    _show(output, result)
    if filled is not None:
        show_table(output, filled)
    return EXIT_OK


def _show(output: Output, result: LakeResult) -> None:
    for topic in result.topics:
        counts = f"{topic.rows:,} rows  {topic.quarantined:,} quarantined  {topic.tombstones:,} tombstones"
        batches = f"{topic.batches:,} {'batch' if topic.batches == 1 else 'batches'}"
        output.show(f"took [bold]{topic.topic}[/]: {counts}  in {batches} and {topic.seconds:.1f} s")
    output.show(plain(f"lake {result.lake}  {result.seconds:.1f} s, of which {result.startup_seconds:.1f} s to start"))
    for topic in result.topics:
        if topic.quarantined:
            output.show(plain(f"set aside: {Path(result.lake) / topic.topic / 'quarantine'}"))


def _folder(told: str | None, otherwise: Path | None) -> Path:
    """Return the folder of the lake.

    :raises Misconfigured: none is told, or it is no folder of this machine.
    """
    if told is None and otherwise is None:
        raise Misconfigured("nobody says where the lake is", hint="Give its folder with --to")
    name = told if told is not None else str(otherwise)
    if "://" in name:
        raise Misconfigured(
            f"{name.partition('://')[0]}:// is no folder",
            where="--to",
            hint="Give a folder of this machine, or a mounted one",
        )
    folder = Path(name).expanduser()
    if folder.exists() and not folder.is_dir():
        raise Misconfigured("this is a file, and no folder", where=str(folder), hint="Give a folder with --to")
    return folder


def _event_times(said: list[str], topics: list[str]) -> dict[str, str]:
    """Read ``FIELD`` or ``TOPIC=FIELD``.

    :raises Misconfigured: a topic is not among those to take, or a field alone stands for several.
    """
    found: dict[str, str] = {}
    for each in said:
        topic, equals, field = each.rpartition("=")
        if not equals:
            if len(topics) > 1:
                raise Misconfigured(
                    f"--event-time {each} does not say of which topic", hint=f"Give it as {topics[0]}={each}"
                )
            topic = topics[0]
        if topic not in topics:
            raise Misconfigured(
                f"{topic} is not among the topics", where="--event-time", hint=f"The topics are {', '.join(topics)}"
            )
        found[topic] = field
    return found
