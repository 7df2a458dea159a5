"""Whether events look like those of docs/realism.md; nothing here is needed to generate them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from producer.scenarios import Examined
from producer.scenarios.shop_events.baskets import ADD, BUY, NAMES, draw_visits
from producer.toolkit.figures import Curve, Figure, share_of
from producer.toolkit.rules import Realism, Rule, check_rules, load_rules

RULES_FILE = Path(__file__).with_name("rules.sql")
_TOLERANCE = 0.02
_DATE = "%Y-%m-%dT%H:%M:%SUTC"

_CHECKED = """
CREATE OR REPLACE TEMP VIEW checked AS
SELECT *, lag(name) OVER own AS before_name, lag(product) OVER own AS before_product,
       lag(moment) OVER own AS before_moment,
       coalesce(sum(CASE name WHEN 'addtobasket' THEN 1 WHEN 'productview' THEN 0 ELSE -1 END) OVER earlier, 0) AS held,
       last_value(CASE WHEN name <> 'productview' THEN name END IGNORE NULLS) OVER same AS before_move
FROM (
    SELECT CAST(_event_id AS VARCHAR) AS id, substr(CAST(_event_id AS VARCHAR), 16, 3) AS shard, "date",
           "productId" AS product, CAST("eventName" AS VARCHAR) AS name, "userId" AS shopper,
           try_strptime("date", '{form}') AS moment
    FROM {source}
)
WINDOW own AS (PARTITION BY shopper ORDER BY id),
       earlier AS (PARTITION BY shopper ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
       same AS (PARTITION BY shopper, product ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
"""
_COUNTED = "SELECT name, count(*) FROM checked GROUP BY name"


def examine(connection: Any, source: str, run: Examined, progress: Callable[[Rule], None] | None = None) -> Realism:
    """Check events of one run. Everything that is made in the database is temporary.

    :param connection: of DuckDB.
    :param source: a relation in SQL with the columns of the contract, and ``_event_id``.
    :param progress: is told each rule before it is checked.
    """
    connection.execute(_CHECKED.format(source=source, form=_DATE))
    sent_at = run.sent_at.astimezone(dt.UTC).replace(tzinfo=None)
    connection.execute("SET VARIABLE sent_at = ?", [sent_at])
    rules = check_rules(connection, load_rules(RULES_FILE), progress=progress)
    counted = dict(connection.execute(_COUNTED).fetchall())
    events = sum(counted.values())
    figures, curve = _mix(counted)
    return Realism(events, run.seed, rules, figures, [curve] if events else [])


def _mix(counted: dict[str, int]) -> tuple[list[Figure], Curve]:
    """Return the shares of the names, and how much of what is added is bought, beside what visits come to."""
    declared = np.bincount(draw_visits(np.random.default_rng(0)).names, minlength=len(NAMES))
    shares = dict(zip(NAMES, (declared / declared.sum()).tolist(), strict=True))
    total = sum(counted.values())
    figures = [
        share_of(f"events, {name}", share, total, counted.get(name, 0), _TOLERANCE) for name, share in shares.items()
    ]
    added, bought = counted.get(NAMES[ADD], 0), counted.get(NAMES[BUY], 0)
    figures.append(share_of("bought of what is added", float(declared[BUY] / declared[ADD]), added, bought, _TOLERANCE))
    found = [counted.get(name, 0) / total if total else 0.0 for name in NAMES]
    return figures, Curve("mix", "Events by name", "", NAMES, list(shares.values()), found)
