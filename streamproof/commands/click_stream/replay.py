"""``streamproof replay``: files of clicks and articles, or any files, to their topics, as one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.errors import Misconfigured
from streamproof.console import Output, warn
from streamproof.flags.click_stream_env import ClickStreamEnv, EnvFileFlag, click_stream_env
from streamproof.flags.common import JsonFlag
from streamproof.flags.connection import Addresses, takes_addresses
from streamproof.flags.faults import FaultFlag
from streamproof.flags.options import OptionFlag
from streamproof.flags.replay import (
    ArticlesPrefixFlag,
    ClicksPrefixFlag,
    ClockFromFlag,
    FeedFlag,
    FolderArgument,
    LongestGapFlag,
    MetadataTopicFlag,
    MostSetAsideFlag,
    OrderFlag,
    ReadyWaitFlag,
    SpeedFlag,
    StrictFlag,
    SuffixFlag,
    TopicFlag,
    most_set_aside,
)
from streamproof.flags.run import (
    CatchUpFlag,
    DeliveryTimeoutFlag,
    EventLogFlag,
    MtlsFlag,
    RequireRateFlag,
    RunIdFlag,
    SecondsFlag,
    ShapeFlag,
    SslFlag,
    connect,
    new_run_id,
)
from streamproof.logs import ready_worker

if TYPE_CHECKING:
    from producer.feeds import Feed, Timing


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(replay)


@takes_addresses
def replay(
    folder: FolderArgument = None,
    *,
    feed: FeedFlag = None,
    topic: TopicFlag = None,
    metadata_topic: MetadataTopicFlag = None,
    clicks_prefix: ClicksPrefixFlag = None,
    articles_prefix: ArticlesPrefixFlag = None,
    suffix: SuffixFlag = None,
    option: OptionFlag = None,
    strict: StrictFlag = False,
    most: MostSetAsideFlag = None,
    speed: SpeedFlag = None,
    longest_gap: LongestGapFlag = None,
    clock_from: ClockFromFlag = None,
    order: OrderFlag = None,
    rate: Annotated[
        float | None, typer.Option("--rate", help="Rows a second of each feed; 0 is as fast as possible, the default.")
    ] = None,
    shape: ShapeFlag = None,
    catch_up: CatchUpFlag = "report",
    require_rate: RequireRateFlag = None,
    events: Annotated[int | None, typer.Option("--events", help="End after this many rows of each feed.")] = None,
    seconds: SecondsFlag = None,
    shards: Annotated[
        int, typer.Option("--shards", help="Split each feed into this many shards, by file; a process for each.")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Draws faults and random gaps; rows are what they are.")] = 1,
    run_id: RunIdFlag = None,
    fault: FaultFlag = None,
    delivery_timeout: DeliveryTimeoutFlag = 30.0,
    event_log: EventLogFlag = None,
    wait: ReadyWaitFlag = None,
    env_file: EnvFileFlag = None,
    ssl: SslFlag = False,
    mtls: MtlsFlag = False,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> None:
    """Replay files, row for row: clicks and articles to their topics, or what --feed files say, as one run.

    Topics are made and schemas registered if need be. Rows that cannot be taken are set aside whole, counted, and told
    by file and line. Ctrl-C ends cleanly; the same command with the same --run-id continues at the row, and sends
    nothing twice.
    """
    from cluster.text.durations import seconds_in
    from cluster.text.names import check_topic_name
    from producer.feeds import replay as replay_feeds
    from producer.feeds import requests_of, stage_feeds
    from producer.feeds.feed import refuse_set_aside
    from producer.feeds.ready import wait_for_services
    from producer.feeds.replay import refuse_late_in_disorder
    from producer.scenarios.options import pairs
    from schemas.formats import FRAMED
    from schemas.rates import share_of
    from streamproof.signals import stop_on_signals
    from streamproof.views.replay import show_replayed, shown_feeds, shown_reading

    output = Output(as_json)
    env = click_stream_env(env_file)
    told = pairs(option or ())
    names = {"prefix": (clicks_prefix, articles_prefix), "topic": (topic, metadata_topic)}
    feeds = _of_files(feed, told, folder, suffix, names) if feed else _portal(folder, env, told, suffix, names)
    timing = _timing(speed, longest_gap, clock_from, order, first_feed=not feed)
    allowed = most_set_aside(most, strict=strict)
    wait_s = (env.ready_wait_s or 0.0) if wait is None else seconds_in(wait)
    asked: dict[str, Any] = {
        "run_id": run_id or new_run_id(),
        "new_run_id": not run_id,
        "shards": shards,
        "seed": seed,
        "events": events,
        "seconds": seconds,
        "rate": _rate(rate, env, paced=shape is not None or speed is not None),
        "shape": shape,
        "catch_up": catch_up,
        "require_rate": None if require_rate is None else share_of(require_rate),
        "event_log": event_log,
        "faults": tuple(fault or ()),
        "delivery_timeout_s": delivery_timeout,
    }
    framed = [each for each in feeds if each.found().format in FRAMED]
    connection = connect(
        addresses,
        (framed or feeds)[0].scenario,
        ssl=ssl,
        mtls=mtls,
        otherwise=env.kafka,
    )
    # What is wrong with the request is told before files are read, which may take long.
    requests_of([timing.applied(each) for each in feeds], **asked)
    for each in feeds:
        check_topic_name(each.topic)
        each.sources().files.find()
    with stop_on_signals() as stop:
        wait_for_services(connection, registry=bool(framed), wait_s=wait_s, stop=stop)
        with shown_reading() as reading:
            staged = stage_feeds(feeds, timing=timing, told=reading, stop=stop)
        refuse_set_aside(staged, allowed)
        requests = requests_of([each.feed for each in staged], rows=[each.staged.rows for each in staged], **asked)
        refuse_late_in_disorder(staged, requests)
        with shown_feeds(staged, requests) as progress:
            replayed = replay_feeds(connection, staged, requests, stop=stop, progress=progress, at_start=ready_worker)
    if replayed.error is None:
        output.document(replayed.document())
    show_replayed(output, replayed)
    if replayed.error is not None:
        replayed.error.details = {"replay": replayed.document()}
        raise replayed.error
    for result in replayed.results:
        if result.rate is not None and result.rate.missed:
            warn(f"{result.plan.topic}: {result.rate.warning()}")


def _portal(
    folder: Path | None,
    env: ClickStreamEnv,
    told: dict[str, str],
    suffix: str | None,
    names: dict[str, tuple[str | None, str | None]],
) -> list[Feed]:
    """Return clicks and articles: by flags, or else by the variables of the click stream data flow."""
    where = folder or env.folder
    if where is None:
        raise Misconfigured(
            "no folder of files is given",
            hint="Name it, set PRODUCER_DATA_ROOT_DIRECTORY, or replay other files with --feed FILE.yaml; "
            "samples/click_stream has some to try",
        )
    common = {"folder": str(where), "suffix": suffix or env.suffix}
    clicks = names["prefix"][0] or env.clicks_prefix
    articles = names["prefix"][1] or env.articles_prefix
    return [
        _feed("click_stream", names["topic"][0] or env.topic, {**common, "prefix": clicks, **told}),
        _feed("click_stream_metadata", names["topic"][1] or env.metadata_topic, {**common, "prefix": articles, **told}),
    ]


def _feed(scenario: str, topic: str | None, options: dict[str, str | None]) -> Feed:
    from producer.feeds import Feed

    given = {name: value for name, value in options.items() if value is not None}
    return Feed(scenario, topic or scenario, given)


def _of_files(
    files: list[Path],
    told: dict[str, str],
    folder: Path | None,
    suffix: str | None,
    names: dict[str, tuple[str | None, str | None]],
) -> list[Feed]:
    """Return the feeds that files say, each of which says all of itself.

    :raises Misconfigured: flags say it too, or a file names no topic.
    """
    from producer.feeds import Feed
    from producer.scenarios.find import locate
    from producer.scenarios.replay.document import read_document

    flags = {
        "--topic": names["topic"][0],
        "--metadata-topic": names["topic"][1],
        "--clicks-prefix": names["prefix"][0],
        "--articles-prefix": names["prefix"][1],
        "--suffix": suffix,
        "FOLDER": folder,
    }
    both = [name for name, value in flags.items() if value is not None]
    if both:
        raise Misconfigured(
            f"{', '.join(both)} and --feed are both given",
            hint="A file of --feed says its folder, names and topic itself",
        )
    feeds = []
    for file in files:
        scenario = locate(str(file.resolve()))
        topic = read_document(Path(scenario)).topic
        feeds.append(Feed(scenario, topic or Path(scenario).stem, told))
    return feeds


def _timing(
    speed: float | None, longest_gap: str | None, clock_from: str | None, order: str | None, *, first_feed: bool
) -> Timing:
    """Return when rows are sent by their own times.

    :raises Misconfigured: what belongs to a speed is given without one, or is not what it should be.
    """
    from cluster.text.durations import seconds_in
    from producer.feeds import Timing
    from producer.scenarios.replay.clock import epoch_ms

    if speed is None and (longest_gap or clock_from):
        raise Misconfigured("--longest-gap and --clock-from need --speed: only then a clock counts")
    if order not in {None, "file", "time"}:
        raise Misconfigured(f"--order is {order!r}", hint="It is file or time")
    if clock_from is not None:
        epoch_ms(clock_from)
    gap = None if longest_gap is None else seconds_in(longest_gap)
    return Timing(speed, gap, clock_from, first_feed, order)


def _rate(rate: float | None, env: ClickStreamEnv, *, paced: bool) -> float:
    """Return the rate of each feed: the flag's, or the variable's where nothing else says when rows are sent."""
    if rate is not None:
        return rate
    return 0.0 if paced else env.rate or 0.0
