"""The page of a run whose events went to stores of others: audits judged it, and nothing of it is published.

What a page has of the generators of a run, this has too. The verdict is that of all audits together; what other tasks
of the run returned stands below, as they returned it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from consumer.pipeline.found import CLASSES
from consumer.report import figures
from consumer.report.facts import Facts
from consumer.report.outcome import Outcome
from consumer.report.page import environment, flow, frame, of_asked, pace, run_facts
from consumer.report.svg import Bar, bars
from consumer.report.text import moment, number, seconds, sentence, shortened

Figures = Mapping[str, Any]
_WORST_FIRST = ("FAILED", "UNKNOWN")
_MARKS = {"PASSED": ("✓", "good"), "FAILED": ("✕", "bad")}
_MOST_ROWS = 50
_MOST_LETTERS = 300
NOTHING_AUDITED = "Nothing was audited, so nothing is proved."


@dataclass(frozen=True, slots=True)
class AuditedRun:
    """A run, and what audits of pipelines say of it.

    :ivar facts: what its manifests say; it is in no warehouse.
    :ivar audits: by the name that the page gives to each, ``verdict`` and ``reason``, with the figures of
        ``PipelineResult`` where it came to any.
    :ivar told: by the name that the page gives to each, what other tasks returned: numbers, texts, mappings of numbers,
        lists of mappings.
    """

    facts: Facts
    audits: Mapping[str, Figures]
    told: Mapping[str, Figures] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The worst verdict of all; UNKNOWN without any."""
        said = {audit["verdict"] for audit in self.audits.values()} or {"UNKNOWN"}
        return next((worst for worst in _WORST_FIRST if worst in said), "PASSED")

    @property
    def reason(self) -> str:
        """The sentence of the only audit, or one about all of them."""
        if not self.audits:
            return NOTHING_AUDITED
        if len(self.audits) == 1:
            return sentence(str(next(iter(self.audits.values()))["reason"]))
        wrong = {name: audit for name, audit in self.audits.items() if audit["verdict"] != "PASSED"}
        if not wrong:
            *others, last = self.audits
            return f"All {len(self.audits)} audits passed: {', '.join(others)} and {last}."
        return " ".join(sentence(f"{name} {audit['verdict']}: {audit['reason']}") for name, audit in wrong.items())

    @property
    def outcome(self) -> Outcome:
        """How much of what was asked for was sent; there is nothing to be published."""
        return replace(self.facts.outcome, withheld="")

    @property
    def events(self) -> int:
        """How many events of the run are somewhere: those that an audit found, or that Kafka acknowledged."""
        found = [int(audit["arrived"]) for audit in self.audits.values() if _identified(audit)]
        return max(found, default=sum(manifest.acknowledged for manifest in self.facts.manifests))

    def summary(self, written_at: datetime) -> dict[str, Any]:
        """Return the same for machines."""
        facts = self.facts
        return {
            "run_id": facts.run_id,
            "topic": facts.topic,
            "verdict": self.verdict,
            "reason": self.reason,
            "written_at": written_at.isoformat(),
            "events": self.events,
            "outcome": self.outcome.document(),
            "audit": None,
            "audits": dict(self.audits),
            "told": dict(self.told),
            "rate": None if facts.rate is None else facts.rate.document(),
            "rates": [list(row) for row in facts.rates],
            "delays_ms": {str(second): delay_ms for second, delay_ms in sorted(facts.delays.items())},
            "incidents": [effect.document() for effect in facts.effects],
            "manifests": [each.model_dump(exclude={"crc", "rate_windows", "faults"}) for each in facts.manifests],
        }

    def page(self, written_at: datetime) -> str:
        """Return the page."""
        facts = self.facts
        return environment.get_template("audits.html.j2").render(
            frame(facts, self.verdict, self.reason, written_at, ended=self.outcome),
            notes=[],
            headline=self._headline(),
            audits=[_section(name, audit) for name, audit in self.audits.items()],
            told_by_tasks=[
                section
                for place, (name, told) in enumerate(self.told.items())
                if (section := _told(place, name, told)) is not None
            ],
            flow=flow(facts, figures.rates, figures.delay_by_second, figures.delays) if facts.manifests else [],
            run_facts=run_facts(facts, []),
        )

    def _headline(self) -> list[tuple[str, str, str, str]]:
        items = []
        if self.facts.manifests:
            acknowledged = sum(manifest.acknowledged for manifest in self.facts.manifests)
            items.append(("Acknowledged by Kafka", number(acknowledged), of_asked(self.facts), ""))
        if len(self.audits) > 1:
            passed = sum(audit["verdict"] == "PASSED" for audit in self.audits.values())
            tone = "zero" if passed == len(self.audits) else "some"
            items.append(("Audits passed", number(passed), f"of {number(len(self.audits))}", tone))
        for audit in self.audits.values() if len(self.audits) == 1 else ():
            if _identified(audit):
                items.append(("Arrived", number(audit["arrived"]), f"of {number(audit['expected'])}", ""))
                items.append(("Lost", number(audit["lost"]), "", "some" if audit["lost"] else "zero"))
        return items + pace(self.facts)


def _identified(audit: Figures) -> bool:
    """Tell whether an audit looked at identities; one of totals has none to look at."""
    return "arrived" in audit and bool(audit.get("identified", True))


def _section(name: str, audit: Figures) -> dict[str, Any]:
    """Return what the page shows of one audit."""
    sign, tone = _MARKS.get(audit["verdict"], ("?", "warn"))
    looked = {"altered": audit.get("compared") is not None, "reordered": bool(audit.get("ordered", True))}
    classes = [
        {"name": kind, "meaning": meaning, "count": audit.get(kind) if looked.get(kind, True) else None}
        for kind, meaning in CLASSES.items()
    ]
    pairs = [
        ("Where", str(audit.get("at", ""))),
        ("As of", moment(audit["as_of"]) if _is_moment(audit.get("as_of")) else str(audit.get("as_of", ""))),
        ("Acknowledged by Kafka", _number(audit.get("acknowledged"))),
        *(
            [
                ("Meant to arrive", _number(audit.get("expected"))),
                ("Arrived", _number(audit.get("arrived"))),
                ("Rows", _number(audit.get("rows"))),
                ("Rows of other runs", _number(audit.get("foreign"))),
            ]
            if _identified(audit)
            else []
        ),
        ("Took", seconds(audit["seconds"]) if "seconds" in audit else ""),
    ]
    return {
        "name": f"Audit of {name}",
        "verdict": f"{sign} {audit['verdict']}",
        "tone": tone,
        "reason": sentence(str(audit["reason"])),
        "pairs": [(label, shortened(text, _MOST_LETTERS)) for label, text in pairs if text],
        "classes": classes if _identified(audit) else [],
        "columns": list(dict(audit.get("columns") or {}).items()),
        "expectations": [(_words(each), rows) for each, rows in dict(audit.get("expectations") or {}).items()],
    }


def _told(place: int, name: str, told: Figures) -> dict[str, Any] | None:
    """Return what the page shows of what a task returned; ``None`` where it returned nothing."""
    pairs, tables = [], []
    drawn: list[figures.Figure] = []
    for key, value in told.items():
        if isinstance(value, Mapping) and value:
            drawn.append(_drawn(f"told-{place}-{len(drawn)}", key, value))
        elif isinstance(value, Sequence) and value and all(isinstance(row, Mapping) for row in value):
            tables.append(_table(key, value))
        elif (text := _text(value)) != "":
            pairs.append((sentence(_words(key)), shortened(text, _MOST_LETTERS)))
    return (
        {"name": sentence(name), "pairs": pairs, "figures": drawn, "tables": tables}
        if pairs or drawn or tables
        else None
    )


def _drawn(name: str, key: str, value: Figures) -> figures.Figure:
    """Return numbers by name as bars, the largest first.

    :param name: of the drawing, in the page.
    """
    title = sentence(_words(key))
    rows = [(str(label), count) for label, count in value.items() if isinstance(count, int | float)]
    ordered = sorted(rows, key=lambda row: (-row[1], row[0]))
    drawing = bars(name, title, [Bar(label, count, _number(count)) for label, count in ordered[:_MOST_ROWS]])
    table = [[label, _number(count)] for label, count in ordered]
    return figures.Figure(name, title, f"{number(len(rows))} in all.", drawing, ("name", "number"), table)


def _table(key: str, rows: Sequence[Figures]) -> dict[str, Any]:
    """Return mappings as rows of a table; what is beyond a number of them is left out, and said."""
    names = dict.fromkeys(name for row in rows for name in row)
    # Stores keep mappings in orders of their own: what names a row comes first, be it a number.
    head = sorted(names, key=lambda name: not (name.endswith("_id") or any(isinstance(r.get(name), str) for r in rows)))
    return {
        "title": sentence(_words(key)),
        "head": [_words(name) for name in head],
        "numbers": [
            place > 0 and all(isinstance(row.get(name), int | float | None) for row in rows)
            for place, name in enumerate(head)
        ],
        "rows": [[_text(row.get(name)) or "none" for name in head] for row in rows[:_MOST_ROWS]],
        "more": max(0, len(rows) - _MOST_ROWS),
    }


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping | list | tuple):
        return ", ".join(f"no. {each}" if isinstance(each, int) else str(each) for each in value) or "none"
    return "" if value is None else str(value)


def _number(value: object) -> str:
    """Return a number, with a digit behind the point where it has a fraction; empty where there is none."""
    if not isinstance(value, int | float):
        return ""
    return number(value) if value == int(value) else f"{value:,.1f}"


def _words(name: str) -> str:
    """Return the name of a figure in words: ``handover_s`` is in seconds."""
    return name.removesuffix("_s").replace("_", " ") + (", s" if name.endswith("_s") else "")


def _is_moment(value: object) -> bool:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return True
