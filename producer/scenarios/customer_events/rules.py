"""The rules of docs/realism.md as SQL over events: what no record may violate.

``rules.sql`` holds one statement for each rule, under a comment that names and states it.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from producer.scenarios.customer_events.tables import (
    CITIES,
    DEVICE_QUALITY,
    DEVICE_TYPES,
    MODELS,
    NETWORK_SHARES,
    NETWORKS,
    PLANS,
    QUALITIES,
    QUALITY_BANDWIDTH,
)

_RULES_FILE = Path(__file__).with_name("rules.sql")
_RULE = re.compile(r"^-- (R\d\d) (.+)\n((?:(?!-- R\d\d ).*\n?)*)", re.MULTILINE)
_MAX_EXAMPLES = 5

_VIEWS = """
CREATE TEMP VIEW flat AS
SELECT event_id, event_type, session_id, timestamp AS event_at, actions, device.type AS device_type,
       details.network_type AS network, details.bandwidth AS bandwidth, details.play_duration AS played,
       details.playback_speed AS speed, q.rank AS quality, q.bandwidth AS needed_bandwidth,
       p.rank AS plan_quality, d.rank AS device_quality
FROM events
LEFT JOIN qualities q ON q.name = details.playback_quality
LEFT JOIN plan_qualities p ON p.plan = subscription.plan
LEFT JOIN device_qualities d ON d.type = device.type;

CREATE TEMP VIEW action AS
SELECT a.* EXCLUDE (actions, entry), entry.action_type AS kind, entry.timestamp AS "at", entry.duration AS duration,
       entry.old_speed AS old_speed, entry.new_speed AS new_speed, o.rank AS old_quality, n.rank AS new_quality,
       lag(entry.action_type) OVER within AS before_kind, lag(entry.timestamp) OVER within AS before_at,
       lead(entry.action_type) OVER within AS next_kind, lead(entry.timestamp) OVER within AS next_at
FROM (SELECT *, unnest(actions) AS entry, generate_subscripts(actions, 1) AS place, len(actions) AS number FROM flat) a
LEFT JOIN qualities o ON o.name = entry.old_quality
LEFT JOIN qualities n ON n.name = entry.new_quality
WINDOW within AS (PARTITION BY event_id ORDER BY place);

CREATE TEMP VIEW previous AS
SELECT event_id, CASE WHEN event_type = 'content_play' THEN actions[1].timestamp ELSE timestamp END AS began_at,
       lag(timestamp) OVER (PARTITION BY user_id ORDER BY event_id) AS before_at
FROM events;
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: ``query`` selects the ids of events that break it."""

    id: str
    text: str
    query: str


@dataclass(frozen=True, slots=True)
class RuleResult:
    """How often a rule is broken, and the first events that break it."""

    rule: Rule
    violations: int
    examples: tuple[str, ...]


def load_rules() -> list[Rule]:
    """Return the rules in order."""
    text = _RULES_FILE.read_text(encoding="utf-8")
    return [Rule(found[1], found[2], found[3].strip().rstrip(";")) for found in _RULE.finditer(text)]


def check_rules(events: pa.Table, contents: pa.StructArray, *, sent_at: dt.datetime) -> list[RuleResult]:
    """Check every rule over the events of one shard, in order of sequence.

    :param events: the columns of the contract.
    :param contents: the catalogue, as structs.
    :param sent_at: nothing may be dated later.
    """
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        # Times are UTC on both sides; as plain timestamps they compare without a time zone database.
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", _plain(events))
        connection.register("catalogue", pa.table({"content": contents}))
        for name, table in _facts().items():
            connection.register(name, table)
        connection.execute("SET VARIABLE sent_at = ?", [sent_at.astimezone(dt.UTC).replace(tzinfo=None)])
        connection.execute(_VIEWS)
        return [_check(connection, rule) for rule in load_rules()]


def _check(connection: Any, rule: Rule) -> RuleResult:
    broken = [row[0] for row in connection.execute(rule.query).fetchall()]
    return RuleResult(rule, len(broken), tuple(sorted(broken)[:_MAX_EXAMPLES]))


def _plain(events: pa.Table) -> pa.Table:
    zone_free = pa.timestamp("ms")
    place = events.schema.get_field_index("timestamp")
    return events.set_column(place, "timestamp", events.column("timestamp").cast(zone_free))


def _facts() -> dict[str, pa.Table]:
    """Return the tables of the world that rules compare with."""
    models = [(m.type, m.os, version, m.name) for m in MODELS for version in m.os_versions]
    networks = [
        (device, network)
        for device, shares in zip(DEVICE_TYPES, NETWORK_SHARES, strict=True)
        for network, share in zip(NETWORKS, shares, strict=True)
        if share
    ]
    return {
        "models": _table(("type", "os", "os_version", "model"), models),
        "cities": _table(
            ("country", "region", "city", "timezone"), [(c.country, c.region, c.name, c.timezone) for c in CITIES]
        ),
        "qualities": _table(
            ("name", "rank", "bandwidth"),
            [(name, rank, QUALITY_BANDWIDTH[rank]) for rank, name in enumerate(QUALITIES)],
        ),
        "plan_qualities": _table(("plan", "rank"), [(plan.name, plan.quality) for plan in PLANS]),
        "device_qualities": _table(("type", "rank"), list(zip(DEVICE_TYPES, DEVICE_QUALITY, strict=True))),
        "device_networks": _table(("type", "network"), networks),
    }


def _table(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> pa.Table:
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})
