"""docs/realism.md is kept by the data, and every rule of it would notice."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from producer.scenarios.customer_events.realism.distributions import fit
from producer.scenarios.customer_events.realism.rules import declared_rules, prepare
from producer.scenarios.customer_events.scenario import BLOCK_EVENTS, CustomerEvents, CustomerStream
from producer.toolkit.ids import event_ids
from producer.toolkit.rules import check_rules
from tests.kit import ROOT

SENT_AT = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
DOCUMENT = ROOT / "docs" / "realism.md"


def opened(planned: int, seed: int) -> CustomerStream:
    scenario = CustomerEvents()
    return scenario.open(seed, 0, scenario.settings(planned, int(SENT_AT.timestamp() * 1000)))


def table_of(stream: CustomerStream, blocks: int) -> pa.Table:
    size = stream.block_events
    batches = []
    for number in range(blocks):
        block = stream.block(number)
        ids = event_ids("realism", 0, np.arange(number * size, (number + 1) * size, dtype=np.int64))
        batches.append(pa.RecordBatch.from_arrays([ids, *block.columns], names=["event_id", *block.schema.names]))
    return pa.Table.from_batches(batches)


def broken(table: pa.Table, stream: CustomerStream, *only: str) -> dict[str, int]:
    """Return the violations of each rule that is broken, of all rules or of some."""
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("events", table)
        prepare(connection, "events", stream.catalogue.contents, sent_at=SENT_AT)
        results = check_rules(connection, [rule for rule in declared_rules() if not only or rule.id in only])
    return {result.rule.id: result.violations for result in results if result.violations}


@pytest.fixture(scope="module")
def large() -> tuple[CustomerStream, pa.Table]:
    """Eight blocks: enough for customers to come back."""
    scenario = CustomerEvents()
    settings = scenario.settings(8 * BLOCK_EVENTS, int(SENT_AT.timestamp() * 1000))
    stream = scenario.open(11, 0, settings | {"block_events": 26_000})
    return stream, table_of(stream, 8)


def test_two_hundred_thousand_events_break_no_rule(large):
    stream, table = large
    assert len(table) == 208_000
    assert broken(table, stream) == {}


def test_every_distribution_is_as_declared(large):
    stream, table = large
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("events", table)
        prepare(connection, "events", stream.catalogue.contents, sent_at=SENT_AT)
        figures, curves = fit(connection, stream.population, stream.catalogue)
    off = {figure.name: (figure.declared, figure.found) for figure in figures if not figure.within}
    assert off == {}
    assert {"activity, sigma", "popularity, exponent"} <= {figure.name for figure in figures}
    for curve in curves:
        assert sum(curve.found) == pytest.approx(1, abs=1e-6)
        assert sum(curve.declared) == pytest.approx(1, abs=0.01)
    hours = next(curve for curve in curves if curve.name == "hours")
    assert max(hours.found) > 8 * min(hours.found), "evenings are busy, nights are not"


def test_a_fit_notices_another_distribution(large):
    stream, table = large
    # Only what customers did on mobile networks by night, and every tenth customer.
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("whole", table)
        connection.execute(
            "CREATE VIEW events AS FROM whole WHERE hour((timestamp AT TIME ZONE 'UTC') AT TIME ZONE "
            "location.timezone) < 6 AND event_type <> 'search' AND user_id LIKE '%0'"
        )
        prepare(connection, "events", stream.catalogue.contents, sent_at=SENT_AT)
        figures, _ = fit(connection, stream.population, stream.catalogue)
    off = {figure.name for figure in figures if figure.within is False}
    assert {"hours of the day, furthest share", "events, search", "activity, mu (turns in a block)"} <= off


@pytest.fixture(scope="module")
def small() -> tuple[CustomerStream, pa.Table, list[dict[str, Any]]]:
    stream = opened(3000, seed=5)
    table = table_of(stream, 1)
    rows = table.to_pylist()
    # What a row has to do with others of its session; the schema leaves these two out again.
    earlier: dict[str, dict[str, Any]] = {}
    plays: dict[str, dict[str, Any]] = {}
    for row in rows:
        session = row["session_id"]
        row |= {"next": None, "play_before": plays.get(session)}
        if session in earlier:
            earlier[session]["next"] = row["content"]
        earlier[session] = row
        if is_play(row):
            plays[session] = {"content": row["content"], "completed": row["details"]["completed"]}
    return stream, table, rows


def is_play(row: dict[str, Any]) -> bool:
    return row["event_type"] == "content_play"


def acts(kind: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: is_play(row) and kind in [action["action_type"] for action in row["actions"]]


def action(row: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(action for action in row["actions"] if action["action_type"] == kind)


def put(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(row: dict[str, Any]) -> None:
        place = row
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def long_session(row: dict[str, Any]) -> bool:
    return len(row["search_history"]) > 1 and row["event_type"] == "search"


def change_action(kind: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda row: action(row, kind).update(values)


def same_quality(row: dict[str, Any]) -> None:
    change = action(row, "quality_change")
    change["old_quality"] = change["new_quality"]


def second_click(row: dict[str, Any]) -> None:
    for recommendation in row["recommendations"][:2]:
        recommendation["clicked"] = True


def earlier_actions(row: dict[str, Any]) -> None:
    row["actions"][-2]["timestamp"] -= dt.timedelta(days=1)


def repeated_recommendation(row: dict[str, Any]) -> None:
    row["recommendations"][1]["content_id"] = row["recommendations"][0]["content_id"]


def change_of_plan(row: dict[str, Any]) -> None:
    row["subscription"].update(plan="premium" if row["subscription"]["plan"] != "premium" else "free")


def next_episode(row: dict[str, Any]) -> bool:
    before = row["play_before"]
    return (
        is_play(row)
        and before is not None
        and before["completed"]
        and row["content"]["season"] is not None
        and row["content"]["title"] == before["content"]["title"]
    )


def same_episode(row: dict[str, Any]) -> None:
    row["content"] = row["play_before"]["content"]


def leads_to_a_title(row: dict[str, Any]) -> bool:
    return row["event_type"] == "search" and row["next"] is not None


def any_row(row: dict[str, Any]) -> bool:
    return True


PLANTED: list[tuple[str, Callable[[dict[str, Any]], bool], Callable[[dict[str, Any]], None]]] = [
    ("R01", any_row, put("event_type", value="login")),
    ("R02", long_session, put("user_id", value="u000000000x")),
    ("R03", long_session, put("subscription", "start_date", value=dt.date(2001, 1, 1))),
    ("R04", lambda r: r["device"]["os"] == "iOS", put("device", "os", value="Android")),
    ("R05", lambda r: r["location"]["country"] != "FR", put("location", "country", value="FR")),
    ("R06", is_play, put("content", "title", value="Another title")),
    ("R07", lambda r: is_play(r) and r["content"]["type"] == "movie", put("content", "season", value=1)),
    ("R08", lambda r: r["event_type"] == "search", put("event_type", value="content_play")),
    ("R09", is_play, put("details", "play_duration", value=10**6)),
    ("R10", lambda r: is_play(r) and r["details"]["play_percentage"] > 2, put("details", "play_percentage", value=1.0)),
    ("R11", lambda r: is_play(r) and not r["details"]["completed"], put("details", "completed", value=True)),
    (
        "R12",
        lambda r: is_play(r) and r["subscription"]["plan"] == "free",
        put("details", "playback_quality", value="2160p"),
    ),
    ("R13", lambda r: is_play(r) and r["device"]["type"] == "mobile", put("details", "network_type", value="ethernet")),
    ("R14", is_play, put("details", "buffering_incidents", value=-1)),
    ("R15", acts("seek"), earlier_actions),
    ("R16", is_play, lambda r: r["actions"].pop()),
    ("R17", acts("pause"), change_action("pause", duration=9999)),
    ("R18", acts("quality_change"), same_quality),
    ("R19", acts("speed_change"), change_action("speed_change", new_speed=9.0)),
    ("R20", acts("seek"), change_action("seek", old_quality="720p")),
    ("R21", lambda r: is_play(r) and r["details"]["play_duration"] > 100, put("details", "play_duration", value=3)),
    ("R22", lambda r: len(r["recommendations"]) > 1, repeated_recommendation),
    ("R23", lambda r: len(r["recommendations"]) > 1, second_click),
    ("R24", long_session, lambda r: r["search_history"].pop(0)),
    ("R25", lambda r: r["event_type"] == "search", lambda r: r["search_history"][-1].update(results_count=0)),
    ("R26", is_play, put("content", "release_year", value=2026)),
    ("R27", lambda r: r["subscription"]["plan"] != "free", put("subscription", "billing_cycle", value="none")),
    ("R28", acts("play"), lambda r: action(r, "play").update(timestamp=dt.datetime(2020, 1, 1))),
    ("R29", any_row, put("timestamp", value=dt.datetime(2020, 1, 1))),
    ("R30", any_row, put("timestamp", value=dt.datetime(2030, 1, 1))),
    ("R31", long_session, change_of_plan),
    ("R32", next_episode, same_episode),
    ("R33", leads_to_a_title, lambda r: r["search_history"][-1].update(query="what nobody watches")),
    ("R34", acts("quality_change"), put("details", "bandwidth", value=0.5)),
]


@pytest.mark.parametrize(("rule", "suits", "plant"), PLANTED, ids=[rule for rule, _, _ in PLANTED])
def test_each_rule_notices_a_record_that_breaks_it(rule, suits, plant, small):
    stream, table, rows = small
    # In the second half, so that the customer has a past to contradict.
    place = next(
        place
        for place, row in enumerate(rows)
        if place >= len(rows) // 2
        and suits(row)
        and (rule != "R28" or any(other["user_id"] == row["user_id"] for other in rows[:place]))
    )
    changed = copy.deepcopy(rows[place])
    plant(changed)
    planted = pa.Table.from_pylist([changed], schema=table.schema)
    assert broken(table, stream, rule) == {}
    assert broken(pa.concat_tables([table[:place], planted, table[place + 1 :]]), stream, rule).get(rule, 0) > 0


def test_every_rule_has_its_planted_violation_and_its_paragraph():
    rules = declared_rules()
    assert [rule.id for rule in rules] == [f"R{number:02d}" for number in range(1, len(rules) + 1)]
    assert [rule for rule, _, _ in PLANTED] == [rule.id for rule in rules]
    document = DOCUMENT.read_text()
    for rule in rules:
        assert f"| {rule.id} | {rule.text} |" in document
