"""The feeds that come with the project: clicks on the articles of a news portal, and what is known of the articles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster.errors import Misconfigured
from producer.scenarios.options import Options
from producer.scenarios.replay.files import Files
from producer.scenarios.replay.options import ARTICLES, CLICKS, FOLDER, PREFIX, SUFFIX
from producer.scenarios.replay.reading import (
    Reading,
    compression_named,
    delimiter_named,
    encoding_named,
    quote_named,
)
from producer.scenarios.replay.scenario import ReplayScenario, Sources
from schemas.formats import AVRO_NAME
from schemas.registry.contract import load_contract


def clicks() -> ReplayScenario:
    """Return the clicks: a record for each, by its reader."""
    return _feed("click_stream", CLICKS, key="user_id", event_time="click_timestamp")


def articles() -> ReplayScenario:
    """Return the articles: a record for each, by its id."""
    return _feed("click_stream_metadata", ARTICLES, key="article_id", event_time="created_at_ts")


def _feed(name: str, options: Any, *, key: str, event_time: str) -> ReplayScenario:
    contract = load_contract(name)
    text = contract.version(contract.active).text

    def sources(asked: Options) -> Sources:
        folder = asked.get(FOLDER)
        if not folder:
            raise Misconfigured(
                f"{name} replays files, and no folder is given", hint="Say where they are: -o folder=FOLDER"
            )
        told: dict[str, Any] = {option.name: asked.get(option.name, option.default) for option in options}
        return Sources(
            Files(Path(str(folder)), str(told[PREFIX] or ""), str(told[SUFFIX] or "")),
            reading_of(told, record=name, schema=text, event_time=event_time),
        )

    return ReplayScenario(
        name,
        sources,
        contract=contract,
        options=options,
        written=AVRO_NAME,
        key=key,
        event_time=event_time,
    )


def reading_of(told: dict[str, Any], *, record: str, schema: str | None, event_time: str | None) -> Reading:
    """Return how files are read, from options or from the keys of a scenario file.

    :raises Misconfigured: names every fault at once.
    """
    faults: list[str] = []

    def checked(check: Any, *given: Any) -> Any:
        try:
            return check(*given)
        except ValueError as error:
            faults.append(str(error))
            return None

    delimiter = checked(delimiter_named, told.get("delimiter") or ",")
    names = told.get("names")
    reading = {
        "compression": checked(compression_named, told.get("compression")),
        "encoding": checked(encoding_named, told.get("encoding") or "utf-8"),
        "delimiter": delimiter,
        "quote": checked(quote_named, told.get("quote", '"'), delimiter or ","),
    }
    if faults:
        raise Misconfigured(f"the files cannot be read so: {'; '.join(faults)}", hint="docs/replay.md has every key")
    return Reading(
        format=told.get("data_format") or "",
        record=record,
        schema=schema,
        event_time=event_time,
        names=None if names is None else tuple(names),
        columns=tuple(sorted((told.get("columns") or {}).items())),
        **reading,
    )
