"""The page says what was found, for every verdict, and nothing in it is more than text."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from cluster.errors import Misconfigured, StoreFailed, StoreFull
from consumer.proof.checks import run_checks
from consumer.publish.publish import publish, run_slug
from consumer.report import find_report, list_reports, write_report
from consumer.report.svg import Bar, bars, columns, heatmap
from consumer.report.text import clock, compact, milliseconds, moment, seconds, shortened, size, visible
from schemas.identity import event_id
from schemas.manifest import RateGap, RateWindow, Sending

RUN = "rehearsal/one"
TOPIC = "customer_events"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}{% for x in y %}",
    "javascript:alert(1)",
    "\u202egnp.exe\u2066",
    "nul\0and\x1b[31m",
    "</title></style></svg>&lt;&amp;",
    "'; DROP TABLE events; --",
    "=cmd|' /C calc'!A0",
]


class Page(HTMLParser):
    """The elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.words: list[str] = []
        self._style = False
        self.feed(html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._style = tag == "style"
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.words.append(data)


def report(lab: Any, run_id: str | None = RUN) -> tuple[Page, dict[str, Any]]:
    result = write_report(lab.path, TOPIC, run_id, lab.publications)
    html = result.path.read_text(encoding="utf-8")
    return Page(html), json.loads(result.path.with_name("summary.json").read_text())


def test_a_passed_run_says_so(proved: Any) -> None:
    page, summary = report(proved)
    assert "PASSED" in page.words
    assert "All 600 acknowledged events are in the warehouse, once, unaltered." in page.text
    assert (summary["verdict"], summary["audit"]["lost"]) == ("PASSED", 0)
    assert len(summary["checks"]) == page.text.count("✓ passed")


def test_a_failed_run_names_what_is_lost(lab: Any) -> None:
    lost = event_id(RUN, 1, 123)
    lab.sql(f"DELETE FROM events WHERE event_id = '{lost}'")
    lab.audit()
    run_checks(lab.path, RUN)
    page, summary = report(lab)
    assert "FAILED" in page.words
    assert lost in page.text
    assert "✕ failed" in page.text
    assert summary["audit"]["examples"]["lost"] == [lost]


def test_a_run_without_all_manifests_is_unknown(lab: Any) -> None:
    lab.withdraw(1)
    lab.audit()
    page, summary = report(lab)
    assert "UNKNOWN" in page.words
    assert "shard 1 of 2 left no manifest" in page.text
    assert "Lost \u2013 not known" in page.text, "nothing lost is not a claim that can be made here"
    assert summary["verdict"] == "UNKNOWN"


def test_a_run_that_was_never_audited_has_a_page_that_says_so(lab: Any) -> None:
    page, summary = report(lab)
    assert "nothing is proved" in page.text
    assert (summary["verdict"], summary["audit"]) == ("UNKNOWN", None)


def test_a_load_that_is_behind_is_not_called_a_loss(lab: Any) -> None:
    lab.sql(
        "DELETE FROM events WHERE _partition = 2 AND _offset >= 50",
        "UPDATE load_offsets SET next_offset = 50 WHERE partition = 2",
    )
    lab.audit()
    page, _ = report(lab)
    assert "Not loaded yet" in page.text
    assert "behind the topic" in page.text


def test_every_section_and_figure_is_there(proved: Any) -> None:
    page, _ = report(proved)
    for words in (
        "Produced, events per second",
        "Loaded, by batch",
        "Publish delay",
        "Event mix",
        "Plays by genre and device",
        "Buffering by network",
        "Partition skew",
        "Checks",
        "Quarantine",
        "Load ledger",
    ):
        assert words in page.text, words
    assert page.tags.count("figure") == 7
    assert page.attributes.count(("svg", "role", "img")) == 7
    assert page.tags.count("details") == 7, "each drawing has its numbers as a table"


def test_a_topic_with_other_columns_has_a_page_too(audited: Any) -> None:
    audited.sql(*(f"ALTER TABLE events DROP {column}" for column in ("details", "content", "event_type")))
    page, _ = report(audited)
    for words in ("Plays by genre", "Event mix", "Buffering", "The stored events have no"):
        assert words not in page.text
    assert "Partition skew" in page.text
    assert page.tags.count("figure") == 4


def test_a_run_of_which_nothing_arrived_has_a_page(lab: Any) -> None:
    lab.sql("DELETE FROM events", "DELETE FROM load_batches")
    lab.audit()
    page, summary = report(lab)
    assert summary["verdict"] == "FAILED"
    assert "No record of this run is stored." in page.text


def test_the_page_is_self_contained(audited: Any) -> None:
    page, _ = report(audited)
    assert ("meta", "content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in page.attributes
    assert not {"script", "link", "img", "iframe", "object", "a", "form"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name in ("src", "href") or name.startswith("on")]


def hostile_lab(lab: Any) -> None:
    """Put hostile text into every field that the page shows."""
    fields = {
        "event_type": "CASE WHEN event_type = 'search' THEN $text ELSE event_type END",
        "content": "struct_update(content, genre := $text || content.genre)",
        "device": "struct_update(device, type := $text || device.type)",
        "details": "struct_update(details, network_type := $text)",
    }
    with lab.open() as warehouse:
        for number, text in enumerate(HOSTILE):
            for column, value in fields.items():
                warehouse.connection.execute(
                    f"UPDATE events SET {column} = {value} WHERE event_sequence(event_id) % {len(HOSTILE)} = {number}",
                    {"text": text},
                )
            warehouse.connection.execute(
                "INSERT INTO quarantine SELECT _partition, 9000 + $number, _timestamp, _key, '\\x01'::BLOB, "
                "[{'name': 'streamproof-event-id', 'value': encode(event_id)}], 1, 'decode', $text, $text, 1, 1, NULL "
                "FROM events LIMIT 1",
                {"text": text, "number": number},
            )


def test_hostile_text_stays_text_wherever_it_comes_from(new_lab: Callable[..., Any]) -> None:
    run_id = "".join(HOSTILE)[:200]
    lab = new_lab(run_id=run_id)
    lab.control.manifests = {
        key: claim.model_copy(
            update={
                "scenario": HOSTILE[0],
                "settings": dict(zip(HOSTILE, HOSTILE, strict=True)),
                "publish_delay_ms": dict.fromkeys(HOSTILE, 1.5) | {"p99": 2.0},
                "schema_used": claim.schema_used.model_copy(update={"subject": HOSTILE[1]}),
            }
        )
        for key, claim in lab.control.manifests.items()
    }
    hostile_lab(lab)
    lab.audit(run_id)
    run_checks(lab.path, run_id)
    page, summary = report(lab, run_id)
    assert summary["run_id"] == run_id
    assert not {"script", "img", "link", "a"} & set(page.tags)
    assert page.tags.count("style") == 1
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]
    for text in ("<script>alert(1)</script>", "{{7*7}}", "javascript:alert(1)", "</title></style></svg>&lt;&amp;"):
        assert text in page.text, text
    whole = "".join(page.words)
    assert not [letter for letter in ("\0", "\x1b", "\u202e", "\u2066") if letter in whole]
    assert "\\u202egnp.exe" in whole


def test_a_report_replaces_the_one_before_and_leaves_nothing_else(audited: Any) -> None:
    report(audited)
    report(audited)
    folder = audited.publications / TOPIC / "reports"
    assert [path.name for path in folder.iterdir()] == [run_slug(RUN)]
    assert sorted(path.name for path in (folder / run_slug(RUN)).iterdir()) == ["index.html", "summary.json"]


def test_reports_are_found_by_run_and_listed_latest_first(new_lab: Callable[..., Any]) -> None:
    for run_id in ("dag/manual__1", "dag/manual__2"):
        lab = new_lab(run_id=run_id)
        lab.audit(run_id)
        report(lab, run_id)
    (lab.publications / TOPIC / "reports" / "broken").mkdir()
    (lab.publications / TOPIC / "reports" / "broken" / "summary.json").write_text("{")
    entries = list_reports(lab.publications)
    assert [entry.run_id for entry in entries] == ["dag/manual__2", "dag/manual__1"]
    assert (entries[0].topic, entries[0].verdict, entries[0].events) == (TOPIC, "PASSED", 600)
    assert find_report(lab.publications, "dag/manual__1") == entries[1].path
    assert find_report(lab.publications, "dag/manual__3") is None
    assert find_report(lab.publications / "nowhere", "x") is None
    assert list_reports(lab.publications / "nowhere") == []


def test_a_run_that_nobody_knows_has_no_report(audited: Any) -> None:
    with pytest.raises(Misconfigured, match="no manifest names the run nope"):
        report(audited, "nope")


@pytest.mark.parametrize("loaded", [True, False], ids=["nothing of it is stored", "there is no warehouse"])
def test_a_run_that_failed_before_its_load_still_gets_a_page_when_asked_for(lab: Any, loaded: bool) -> None:
    if not loaded:
        lab.path.unlink()
    result = write_report(lab.path, TOPIC, "dag/failed early", lab.publications, even_if_unknown=True)
    page = Page(result.path.read_text())
    assert (result.verdict, find_report(lab.publications, "dag/failed early")) == ("UNKNOWN", result.path)
    assert "nothing is proved" in page.text
    assert lab.path.exists() is loaded


def test_a_folder_that_cannot_be_written_is_a_store_error(audited: Any) -> None:
    audited.publications.parent.mkdir(exist_ok=True)
    audited.publications.write_text("a file where the folder should be")
    with pytest.raises(StoreFailed) as caught:
        report(audited)
    assert caught.value.exit_code == 74


@pytest.mark.parametrize("length", [1, 2, 60, 500, 5000], ids=str)
@pytest.mark.parametrize("shape", ["flat", "zero", "spike"])
def test_a_rate_chart_is_well_formed_at_any_length(length: int, shape: str) -> None:
    value = {"flat": lambda _: 10_000.0, "zero": lambda _: 0.0, "spike": lambda second: 1e7 if second == 0 else 3.0}[
        shape
    ]
    points = [(second, value(second)) for second in range(length)]
    chart = ET.fromstring(columns("c", "title", points, line=points, unit="/s"))
    assert len(chart.findall(".//rect")) < 200
    assert "nan" not in ET.tostring(chart, encoding="unicode")


def test_charts_survive_the_degenerate() -> None:
    assert ET.fromstring(bars("b", "t", [])).get("height") == "0"
    assert ET.fromstring(bars("b", "t", [Bar("x", 0, "0")])) is not None
    assert ET.fromstring(heatmap("h", "t", [], [], {})) is not None
    assert ET.fromstring(heatmap("h", "t", ["a"], ["b"], {})) is not None


def test_a_long_run_is_drawn_as_an_area(lab: Any) -> None:
    windows = [RateWindow(second=second, intended=10, achieved=10) for second in range(3600)]
    lab.amend(0, rate_windows=windows)
    lab.audit()
    page, _ = report(lab)
    assert "events in 3,600 s" in page.text
    assert ("path", "class", "area-a") in page.attributes


def test_a_load_shape_is_drawn_against_what_was_intended(lab: Any) -> None:
    """A ramp with a stall in it, of which some was given up; windows of two seconds show as two."""
    windows = [
        RateWindow(second=2 * place, seconds=2, intended=20 * place, achieved=0 if place == 5 else 20 * place)
        for place in range(1, 10)
    ]
    for shard in (0, 1):
        lab.amend(shard, rate_windows=windows, skipped=50, settings={"shape": "ramp(0, 200, 20s)", "catch_up": "skip"})
    lab.audit()
    page, _ = report(lab)
    assert "1,600 events in 18 s, 88.89 % of what was due when it was due, by whole seconds" in page.text
    assert "100 were given up after a stall" in page.text
    assert "ramp(0, 200, 20s)" in page.text
    assert ("path", "class", "line-b") in page.attributes


def test_half_the_rate_is_said_in_the_head_and_never_as_all_of_what_was_intended(lab: Any) -> None:
    """Every event arrived, in twice the time that was asked for."""
    windows = [RateWindow(second=second, intended=100 * (second < 3), achieved=50) for second in range(6)]
    slow = Sending(
        began_at="2026-11-20T10:00:00+00:00",
        startup_s=1,
        seconds=6.1,
        due_s=3,
        due=300,
        acknowledged=300,
        generator_s=2.5,
    )
    for shard in (0, 1):
        lab.amend(shard, rate_windows=windows, sending=[slow])
    lab.audit()
    page, summary = report(lab)
    assert "600 events in 6 s: 100/s of 200/s asked (50.0 %)" in page.text
    assert "Rate reached" in page.text
    assert "of 200/s asked, 50.0 %" in page.text
    assert "The rate was missed, 100/s of 200/s asked (50.0 %): generating and encoding is the limit" in page.text
    assert summary["rate"]["percent"] == 50.0
    # Manifests of an earlier version tell it by whole seconds.
    for shard in (0, 1):
        lab.amend(shard, rate_windows=windows, sending=[])
    page, _ = report(lab)
    assert "of what was intended" not in page.text
    assert "100.00 %" not in page.text


def test_what_a_killed_attempt_took_with_it_is_said_and_not_drawn_as_nothing(lab: Any) -> None:
    lab.amend(0, rate_gaps=[RateGap(second=10, seconds=4, events=1200)], resumed=1)
    assert any("Shard 0: the rates of seconds 10 to 13 are not known (1,200 events)" in n for n in lab.audit().notes)
    page, _ = report(lab)
    assert "Not in it: 1,200 events, about 4 s, of attempts that were killed; their rates are not known." in page.text
    assert "Of a shard that was continued, only the last attempt." in page.text


def test_values_read_well() -> None:
    assert [compact(value) for value in (0, 2.5, 950, 999.9, 1234, 9_960, 34_000, 5_600_000)] == [
        "0", "2.5", "950", "1.0k", "1.2k", "10k", "34k", "5.6M",
    ]  # fmt: skip
    assert [milliseconds(value) for value in (0.42, 11.5, 250, 2500)] == ["0.4 ms", "11.5 ms", "250 ms", "2.50 s"]
    assert [seconds(value) for value in (9.54, 125, 3720)] == ["9.5 s", "2 min 5 s", "1 h 2 min"]
    assert [clock(value) for value in (45, 125)] == ["45 s", "2:05"]
    assert [size(value) for value in (12, 1500, 112_000_000)] == ["12 B", "1.5 kB", "112 MB"]
    assert moment(datetime(2026, 11, 20, 10, 0, 5, tzinfo=UTC)) == "20 November 2026, 10:00:05 UTC"
    assert moment(None) == "\u2013"
    assert visible("a\0b\u202ec\ud800") == "a\u2400b\\u202ec\\ud800"
    assert shortened("abcdef", 4) == "abc\u2026"


def test_the_page_reads_without_colour(lab: Any) -> None:
    """Every state has a word, not only a colour."""
    lab.audit()
    style = (Path(write_report.__code__.co_filename).parent / "style.css").read_text()
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize(
    ("number", "kind", "hint"),
    [(errno.ENOSPC, StoreFull, "Free some space"), (errno.EACCES, StoreFailed, "who owns it")],
)
def test_a_report_that_cannot_be_written_says_what_to_do(
    lab: Any, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StoreFailed], hint: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, "not written")

    monkeypatch.setattr("consumer.report._replace", fail)
    with pytest.raises(StoreFailed, match=hint) as told:
        write_report(lab.path, TOPIC, "r", lab.publications, even_if_unknown=True)
    assert type(told.value) is kind


def test_an_audit_that_is_older_than_the_last_load_says_so(audited: Any) -> None:
    audited.sql(
        "INSERT INTO load_batches "
        "SELECT * REPLACE (2 AS batch, 0 AS events, start_offset AS end_offset) FROM load_batches",
        f"UPDATE events SET _batch = 2 WHERE event_id = '{event_id(RUN, 0, 7)}'",
    )
    result = write_report(audited.path, TOPIC, RUN, audited.publications)
    assert result.verdict == "UNKNOWN"
    assert "is older than the last load of the run" in result.path.read_text()


def test_checks_that_are_older_than_the_audit_are_said_to_be(proved: Any) -> None:
    proved.audit()
    result = write_report(proved.path, TOPIC, RUN, proved.publications)
    assert "the checks are older than the audit" in result.path.read_text()


def test_a_publication_that_is_older_than_the_audit_is_told_without_a_clock(lab: Any) -> None:
    def told() -> str:
        return write_report(lab.path, TOPIC, RUN, lab.publications).path.read_text()

    lab.audit()
    run_checks(lab.path, RUN)
    publish(lab.path, TOPIC, RUN, lab.publications)
    lab.sql("UPDATE publications SET published_at = TIMESTAMPTZ '2099-01-01 00:00:00+00'")
    assert "and not again" not in told()
    lab.audit()
    run_checks(lab.path, RUN)
    assert "and not again: it was audited again since" in told()
