"""Keys and values as the little text that there is room for."""

from __future__ import annotations

import json
from typing import Any

from cluster.text.visible import visible

_SHOWN_BYTES = 32


def shown_bytes(value: bytes | None, most: int) -> str | None:
    """Return bytes as text for a person, at most ``most`` characters: hexadecimal where they are no text."""
    if value is None:
        return None
    try:
        return shortened(visible(value[: 4 * most].decode()), most)
    except UnicodeDecodeError:
        return shortened(f"0x{value[:_SHOWN_BYTES].hex()}", most)


def shown_fields(fields: Any, most: int) -> str:
    """Return a decoded value as compact JSON for a person, at most ``most`` characters."""
    return shortened(visible(json.dumps(fields, default=str, ensure_ascii=False, separators=(", ", ": "))), most)


def shortened(text: str, most: int) -> str:
    """Return text that is at most ``most`` characters long; what is cut is told by an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"
