"""Whether events look like those of docs/realism.md; nothing here is needed to generate them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from producer.scenarios import Examined
from producer.scenarios.journey.paths import EVENT_TYPES, WHOLE_SHARE, draw_paths
from producer.scenarios.journey.site import build_site
from producer.toolkit.figures import Curve, Figure, share_of
from producer.toolkit.rules import Realism, Rule, check_rules, load_rules

RULES_FILE = Path(__file__).with_name("rules.sql")
_TOLERANCE = 0.02

_CHECKED = """
CREATE OR REPLACE TEMP VIEW checked AS
SELECT *, count(*) FILTER (kind = 'VideoPlayed') OVER earlier AS videos, max(scroll_percent) OVER earlier AS deepest,
       first_value(page_url) OVER view AS viewed_url
FROM (
    SELECT *, count(*) FILTER (kind = 'PageViewed') OVER up_to AS view,
           first_value(occurred_at) OVER own AS session_began_at, lag(number) OVER own AS before_number,
           lag(kind) OVER own AS before_kind, lag(page_url) OVER own AS before_url,
           lag(occurred_at) OVER own AS before_at, lag(target_url) OVER own AS before_target,
           lag(search_query) OVER own AS before_query, lag(element) OVER own AS before_element
    FROM (
        SELECT * EXCLUDE (occurred_at), CAST(event_id AS VARCHAR) AS id, CAST(event_type AS VARCHAR) AS kind,
               substr(CAST(event_id AS VARCHAR), 16, 3) AS shard, CAST(occurred_at AS TIMESTAMP) AS occurred_at
        FROM {source}
    )
    WINDOW own AS (PARTITION BY session_id ORDER BY id),
           up_to AS (PARTITION BY session_id ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
WINDOW view AS (PARTITION BY session_id, view ORDER BY id),
       earlier AS (PARTITION BY session_id, view ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
"""
_COUNTED = "SELECT kind, count(*) FROM checked GROUP BY kind"
_WATCHED = "SELECT count(*), count(*) FILTER (video.completed) FROM checked WHERE video IS NOT NULL"


def examine(connection: Any, source: str, run: Examined, progress: Callable[[Rule], None] | None = None) -> Realism:
    """Check events of one run. Everything that is made in the database is temporary.

    :param connection: of DuckDB.
    :param source: a relation in SQL with the columns of the contract.
    :param progress: is told each rule before it is checked.
    """
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(_CHECKED.format(source=source))
    connection.execute("SET VARIABLE sent_at = ?", [run.sent_at.astimezone(dt.UTC).replace(tzinfo=None)])
    rules = check_rules(connection, load_rules(RULES_FILE), progress=progress)
    counted = dict(connection.execute(_COUNTED).fetchall())
    ((played, completed),) = connection.execute(_WATCHED).fetchall()
    events = sum(counted.values())
    figures, curve = _mix(counted)
    figures.append(share_of("videos played to the end", WHOLE_SHARE, played, completed, 2 * _TOLERANCE))
    return Realism(events, run.seed, rules, figures, [curve] if events else [])


@cache
def _declared() -> dict[str, float]:
    """Return the share of each type on paths through a site. Drawing them takes as long as to check the rules."""
    rng = np.random.default_rng(0)
    events = np.bincount(draw_paths(rng, build_site(rng)).events, minlength=len(EVENT_TYPES))
    return dict(zip(EVENT_TYPES, (events / events.sum()).tolist(), strict=True))


def _mix(counted: dict[str, int]) -> tuple[list[Figure], Curve]:
    """Return the shares of the types beside what paths come to."""
    shares = _declared()
    total = sum(counted.values())
    figures = [
        share_of(f"events, {name}", share, total, counted.get(name, 0), _TOLERANCE) for name, share in shares.items()
    ]
    found = [counted.get(name, 0) / total if total else 0.0 for name in EVENT_TYPES]
    return figures, Curve("mix", "Event mix", "type of event", EVENT_TYPES, list(shares.values()), found)
