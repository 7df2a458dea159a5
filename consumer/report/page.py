"""The page of a run: facts in, one self-contained HTML document out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import jinja2
from markupsafe import Markup

from consumer.proof.found import CLASSES
from consumer.report import figures
from consumer.report.facts import Facts
from consumer.report.incidents import BEFORE_S, LEAST_MS, OF_RATE, STEADY_S, TIMES
from consumer.report.outcome import Outcome
from consumer.report.text import milliseconds, moment, number, seconds, sentence, shortened, size, visible
from schemas.faults import KINDS
from schemas.manifest import count
from schemas.rates import per_second, percent

_HERE = Path(__file__).parent
_RECOVERED = (
    f"Recovered is a run when, for {STEADY_S} seconds on end, its rate is {OF_RATE:.0%} of the intended one or more, "
    f"and its longest delay at most {TIMES} times the median of the {BEFORE_S} seconds before, or {LEAST_MS:.0f} ms. "
    "The time counts from the beginning of the incident."
)
NOT_AUDITED = "No audit of this run is recorded, so nothing is proved."


def _finalize(value: Any) -> Any:
    """Make what is invisible or turns text around visible, wherever a value enters the page."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    finalize=_finalize,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.filters |= {"n": number, "moment": moment, "duration": seconds, "size": size, "ms": milliseconds}


def render(facts: Facts, *, written_at: datetime) -> str:
    """Return the page."""
    audit = facts.audit or {}
    framed = frame(facts, audit.get("verdict", "UNKNOWN"), audit.get("reason", NOT_AUDITED), written_at)
    return environment.get_template("run.html.j2").render(
        framed,
        notes=audit.get("notes", []),
        headline=_headline(facts),
        classes=_classes(audit),
        any_examples=any(audit.get("located", {}).values()),
        run_facts=run_facts(facts, _afterwards(facts)),
        shards=audit.get("shards", []),
        faults=[row | {"meaning": KINDS.get(row["kind"], "")} for row in audit.get("faults", [])],
        versions=audit.get("versions", []),
        flow=flow(facts, figures.rates, figures.delay_by_second, figures.loaded, figures.delays),
        content=[*(figures.content(drawing) for drawing in facts.content), figures.partitions(facts)],
        realism=figures.realism(facts),
        ledger=_ledger(facts),
        checks=facts.checks,
        quarantined=sum(row[2] for row in facts.quarantine),
    )


def frame(
    facts: Facts, verdict: str, reason: str, written_at: datetime, *, ended: Outcome | None = None
) -> dict[str, Any]:
    """Return what every page of a run shows, whoever judged it: its head, and what was done to the stack meanwhile.

    :param ended: what became of the run; as a warehouse has it unless given.
    """
    ended = ended or facts.outcome
    return {
        "style": Markup((_HERE / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - a file of this package
        "facts": facts,
        "verdict": verdict,
        # Less than was asked for is not a success, whatever was proved about the rest.
        "tone": "short" if ended.short and verdict == "PASSED" else verdict.lower(),
        "reason": reason,
        "qualifier": "" if not ended.short else "cut short" if ended.cut else "less than asked",
        "told": [sentence for sentence in (ended.shortfall(), _missed(facts), ended.publication()) if sentence],
        "incidents": facts.effects,
        "recovered": _RECOVERED,
        "written_at": moment(written_at),
        "version": version("streamproof"),
    }


def flow(facts: Facts, *draws: Callable[[Facts], figures.Figure | None]) -> list[figures.Figure]:
    """Return the drawings of what went through, of those that there are."""
    return [figure for draw in draws if (figure := draw(facts)) is not None]


def _headline(facts: Facts) -> list[tuple[str, str, str, str]]:
    """Return (label, figure, unit, tone) of the figures below the verdict."""
    audit = facts.audit
    items = []
    if audit:
        items += [
            ("Acknowledged by Kafka", number(audit["expected"]), of_asked(facts), ""),
            ("In the warehouse", number(audit["loaded"]), "", ""),
        ]
        if audit["awaited"]:
            items.append(("Not loaded yet", number(audit["awaited"]), "", ""))
        elif audit["verdict"] == "UNKNOWN" and not audit["lost"]:
            items.append(("Lost", "\u2013", "not known", ""))
        else:
            # What a run lost that passed, it was told to lose.
            wanted = audit["lost"] > 0 and audit["verdict"] == "PASSED"
            tone = "" if wanted else "some" if audit["lost"] else "zero"
            items.append(("Lost, on purpose" if wanted else "Lost", number(audit["lost"]), "", tone))
    return items + pace(facts)


def pace(facts: Facts) -> list[tuple[str, str, str, str]]:
    """Return the rate that was reached and the publish delay, as figures below the verdict."""
    items = _rate(facts)
    delays = [manifest.publish_delay_ms["p99"] for manifest in facts.manifests if "p99" in manifest.publish_delay_ms]
    if delays:
        figure, unit = milliseconds(max(delays)).split(" ")
        items.append(("Publish delay, p99", figure, unit, ""))
    return items


def _rate(facts: Facts) -> list[tuple[str, str, str, str]]:
    """Return the rate that was reached beside the one asked for; by older manifests, what a second had."""
    rate = facts.rate
    if rate is not None:
        asked = (
            "events/s"
            if rate.asked is None
            else f"of {per_second(rate.asked)}/s asked, {percent(rate.share or 0)}".replace(" %", "\u202f%")
        )
        return [("Rate reached", per_second(rate.reached), asked, "some" if rate.missed else "")]
    # The last second is rarely a whole one.
    whole = [achieved for _, _, achieved in facts.rates[:-1]] or [achieved for _, _, achieved in facts.rates]
    return [("Produced, median second", number(median(whole)), "events/s", "")] if whole else []


def _missed(facts: Facts) -> str:
    """Return in a sentence or two that the rate was missed, and why."""
    return "" if facts.rate is None or not facts.rate.missed else f"{sentence(facts.rate.warning())}."


def of_asked(facts: Facts) -> str:
    """Return how many events were asked for, where it was more than were sent."""
    asked = facts.outcome.asked
    return "" if asked is None or not facts.outcome.short else f"of {number(asked)} asked"


def _classes(audit: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the verdict table."""
    located = audit.get("located", {})
    rows = [
        {"name": name, "meaning": meaning, "count": audit.get(name), "examples": located.get(name, [])}
        for name, meaning in CLASSES.items()
    ]
    for name, meaning in (("missed", "injected, and not found"), ("false_alarm", "found, and not injected")):
        if located.get(name):
            faults = audit["faults"]
            many = sum(row["injected"] - row["found"] if name == "missed" else row["false_alarms"] for row in faults)
            rows.append({"name": name.replace("_", " "), "meaning": meaning, "count": many, "examples": located[name]})
    if audit.get("awaited"):
        meaning = "acknowledged, and not loaded yet"
        rows.append(
            {"name": "awaited", "meaning": meaning, "count": audit["awaited"], "examples": located.get("awaited", [])}
        )
    return rows


def run_facts(facts: Facts, afterwards: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what the manifests say about the run, and what became of it, as label and text."""
    rows = [("Run", facts.run_id), ("Topic", facts.topic)]
    if facts.manifests:
        first = facts.manifests[0]
        rows += [
            ("Scenario", f"{first.scenario}, version {first.scenario_version}"),
            ("Seed", str(first.seed)),
            ("Shards", f"{len(facts.manifests)} of {max(manifest.shards for manifest in facts.manifests)}"),
            ("Schema", f"{first.schema_used.subject}, version {first.schema_used.version}, id {first.schema_used.id}"),
            ("Kafka", first.brokers or "not said by this manifest"),
            ("Registry", first.registry or "not said by this manifest"),
            ("Began", moment(min(manifest.started_at for manifest in facts.manifests))),
        ]
        if facts.span:
            rows += [
                ("Ended", moment(facts.span[1])),
                ("Took", seconds((facts.span[1] - facts.span[0]).total_seconds())),
            ]
        rows += _settings(first.settings)
        resumed = sum(manifest.resumed for manifest in facts.manifests)
        if resumed:
            rows.append(("Continued", f"{resumed} times"))
        refused = sum(count(manifest.failed) for manifest in facts.manifests)
        if refused:
            rows.append(("Refused by Kafka", number(refused)))
    return [(label, shortened(text, 300)) for label, text in (*rows, *afterwards)]


def _afterwards(facts: Facts) -> list[tuple[str, str]]:
    """Return when the run was audited and published."""
    rows = []
    if facts.audit:
        rows.append(("Audited", f"{moment(facts.audit['audited_at'])}, in {seconds(facts.audit['seconds'])}"))
    return [*rows, ("Published", moment(facts.published[0]) if facts.published else f"no: {facts.outcome.withheld}")]


def _settings(settings: dict[str, int | float | str | None]) -> list[tuple[str, str]]:
    """Return the settings that a person chose one by one, and the rest of what the data depends on in one line."""
    chosen = {"rate": "Rate, events/s", "events": "Events", "seconds": "Seconds"}
    rows = []
    for name, label in chosen.items():
        value = settings.get(name)
        if isinstance(value, int | float):
            rows.append((label, "as fast as possible" if name == "rate" and value == 0 else number(value)))
        elif value is not None:
            rows.append((label, value))
    others = [f"{name} {value}" for name, value in sorted(settings.items()) if name not in chosen and value is not None]
    return [*rows, ("The data also depends on", ", ".join(others))] if others else rows


def _ledger(facts: Facts) -> list[tuple[str, str]]:
    """Return what the ledger says about the batches that carried the run."""
    if facts.ledger is None:
        return []
    batches, events, quarantined, tombstones, absent, value_bytes, fetch_s, decode_s, insert_s, first, last = (
        facts.ledger
    )
    return [
        ("Batches", number(batches)),
        ("Events", number(events)),
        ("Payload", size(value_bytes)),
        ("Mean event", size(value_bytes / max(1, events + quarantined))),
        ("Quarantined", number(quarantined)),
        ("Tombstones", number(tombstones)),
        ("Offsets without a record", number(absent)),
        ("Waiting for and fetching from Kafka", seconds(fetch_s)),
        ("Decoding", seconds(decode_s)),
        ("Inserting", seconds(insert_s)),
        ("First commit", moment(_iso(first))),
        ("Last commit", moment(_iso(last))),
    ]


def _iso(text: str) -> str:
    """Return DuckDB's ``+00`` as Python reads it."""
    return text + ":00" if text[-3:-2] in "+-" else text
