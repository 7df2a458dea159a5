"""Types of columns of text, found over all rows: a column has a type if every text of it is a value of that type."""

from __future__ import annotations

from typing import Any

import pyarrow.compute

from producer.scenarios.replay.rows.text_types import typed
from schemas.types.tree import Node

pc: Any = pyarrow.compute

# The first that every text fits. Whole numbers come before decimal ones, and text is what anything is.
_ORDER: dict[str, tuple[Node, Any]] = {
    "boolean": (Node("boolean"), "boolean"),
    "long": (Node("long"), "long"),
    "double": (Node("double"), "double"),
    "timestamp": (
        Node("long", logical="timestamp-micros"),
        {"type": "long", "logicalType": "timestamp-micros"},
    ),
    "local": (
        Node("long", logical="local-timestamp-micros"),
        {"type": "long", "logicalType": "local-timestamp-micros"},
    ),
}


class Guess:
    """What one column may be, by the texts that it was shown."""

    def __init__(self) -> None:
        self._left = list(_ORDER)
        self._some = False
        self.empty = False

    def look(self, texts: Any) -> None:
        """Take some texts of the column into account."""
        blank = pc.equal(texts, "")
        if pc.any(blank).as_py():
            self.empty = True
            texts = texts.filter(pc.invert(blank))
        if not len(texts):
            return
        self._some = True
        self._left = [name for name in self._left if _fits(texts, name)]

    @property
    def avro(self) -> Any:
        """The type in a schema: with null where an empty field was seen; text where nothing says more."""
        name = self._left[0] if self._some and self._left else None
        plain: Any = "string" if name is None else _ORDER[name][1]
        return ["null", plain] if self.empty or not self._some else plain


def _fits(texts: Any, name: str) -> bool:
    # Most columns tell by their first text what they are not.
    return all(_all_fit(part, name) for part in (texts.slice(0, 1), texts))


def _all_fit(texts: Any, name: str) -> bool:
    if name in ("timestamp", "local") and pc.any(pc.match_substring_regex(texts, "^-?[0-9]+$")).as_py():
        return False  # a number says no unit
    return typed(texts, _ORDER[name][0]).bad is None
