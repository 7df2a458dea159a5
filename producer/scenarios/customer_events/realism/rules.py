"""The rules of docs/realism.md as SQL over events: what no record may violate.

``rules.sql`` holds one statement for each rule, under a comment that names and states it.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from cluster.errors import Misconfigured
from producer.scenarios.customer_events.columns import NAMES
from producer.scenarios.customer_events.world.tables import (
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
from producer.toolkit.rules import Rule, load_rules
from schemas.identity import IDENTITY_FIELD

_RULES_FILE = Path(__file__).with_name("rules.sql")
_COLUMNS = (IDENTITY_FIELD, *NAMES)
_ZONED = re.compile(r"TIMESTAMP(_MS| WITH TIME ZONE)")

_VIEWS = """
CREATE OR REPLACE TEMP VIEW flat AS
SELECT event_id, event_type, session_id, timestamp AS event_at, actions, device.type AS device_type,
       details.network_type AS network, details.bandwidth AS bandwidth, details.play_duration AS played,
       details.playback_speed AS speed, q.rank AS quality, q.bandwidth AS needed_bandwidth,
       p.rank AS plan_quality, d.rank AS device_quality
FROM checked
LEFT JOIN qualities q ON q.name = details.playback_quality
LEFT JOIN plan_qualities p ON p.plan = subscription.plan
LEFT JOIN device_qualities d ON d.type = device.type;

CREATE OR REPLACE TEMP VIEW action AS
SELECT a.* EXCLUDE (actions, entry), entry.action_type AS kind, entry.timestamp AS "at", entry.duration AS duration,
       entry.old_speed AS old_speed, entry.new_speed AS new_speed, o.rank AS old_quality, n.rank AS new_quality,
       lag(entry.action_type) OVER within AS before_kind, lag(entry.timestamp) OVER within AS before_at,
       lead(entry.action_type) OVER within AS next_kind, lead(entry.timestamp) OVER within AS next_at
FROM (SELECT *, unnest(actions) AS entry, generate_subscripts(actions, 1) AS place, len(actions) AS number FROM flat) a
LEFT JOIN qualities o ON o.name = entry.old_quality
LEFT JOIN qualities n ON n.name = entry.new_quality
WINDOW within AS (PARTITION BY event_id ORDER BY place);

CREATE OR REPLACE TEMP VIEW previous AS
SELECT event_id, CASE WHEN event_type = 'content_play' THEN actions[1].timestamp ELSE timestamp END AS began_at,
       lag(timestamp) OVER (PARTITION BY user_id ORDER BY event_id) AS before_at
FROM checked;

CREATE OR REPLACE TEMP VIEW consecutive AS
SELECT event_id, user_id, session_id, timestamp, p.rank, lag(p.rank) OVER own AS before_rank,
       lag(session_id) OVER own AS before_session, lag(timestamp) OVER own AS before_at
FROM checked JOIN plan_qualities p ON p.plan = subscription.plan
WINDOW own AS (PARTITION BY user_id ORDER BY event_id);

CREATE OR REPLACE TEMP VIEW episodes AS
SELECT content.id AS id, content.title AS series,
       coalesce(lead(content.id) OVER series, first(content.id) OVER series) AS following,
       lead(content.id) OVER series IS NULL AS last
FROM catalogue WHERE content.season IS NOT NULL
WINDOW series AS (PARTITION BY content.title ORDER BY content.season, content.episode
                  ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING);
"""


def declared_rules() -> list[Rule]:
    """Return the rules in order."""
    return load_rules(_RULES_FILE)


def prepare(connection: Any, source: str, contents: pa.StructArray, *, sent_at: dt.datetime) -> None:
    """Make what the rules read: ``checked`` over the events, and the facts of the world. All of it is temporary.

    :param source: a relation in SQL with the columns of the contract.
    :param contents: the catalogue, as structs.
    :param sent_at: nothing may be dated later.
    :raises Misconfigured: columns of the contract are missing.
    """
    connection.execute("SET TimeZone = 'UTC'")
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608 - a caller's relation
    types = {name: kind for name, kind, *_ in described}
    missing = [name for name in _COLUMNS if name not in types]
    if missing:
        raise Misconfigured(
            f"these are not events of customer_events: there is no column {', '.join(missing)}",
            where=source,
            hint="The rules are those of docs/realism.md; other scenarios have none",
        )
    connection.register("catalogue", pa.table({"content": contents}))
    for name, table in _facts().items():
        connection.register(name, table)
    # Times are UTC on both sides; as plain timestamps they compare without a time zone database.
    columns = ", ".join(f'CAST("{name}" AS {_ZONED.sub("TIMESTAMP", types[name])}) AS "{name}"' for name in _COLUMNS)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW checked AS SELECT {columns} FROM {source}")  # noqa: S608
    connection.execute("SET VARIABLE sent_at = ?", [sent_at.astimezone(dt.UTC).replace(tzinfo=None)])
    connection.execute(_VIEWS)


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
