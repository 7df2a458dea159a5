"""The text of a schema as JSON, comments taken out: Avro's own parser takes them."""

from __future__ import annotations

import json
import re
from typing import Any

# A text, or a comment to the end of its line, or one between its marks; a text hides what looks like a comment in it.
_TEXT_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n\r]*|/\*.*?\*/', re.DOTALL)


def load(text: str) -> Any:
    """Return what a text says as JSON.

    :raises ValueError: it is not JSON; places are those of the text as it is.
    """
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(_TEXT_OR_COMMENT.sub(_blank, text))


def plain(text: str) -> str:
    """Return a text as it is where it is JSON, and else what it says without its comments, if it says anything."""
    try:
        json.loads(text)
        return text
    except (ValueError, RecursionError):
        pass
    try:
        return json.dumps(load(text), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return text


def _blank(found: re.Match[str]) -> str:
    """Return a text as it is, and blanks for a comment, with its ends of lines."""
    return found[0] if found[0][0] == '"' else re.sub(r"[^\n\r]", " ", found[0])
