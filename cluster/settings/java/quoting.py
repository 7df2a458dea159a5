"""What an error may show of a value: words that a client has names for, and nothing that could be a secret."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z][A-Z0-9_-]{0,39}")
_CLASS = re.compile(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)+")
_KEY = re.compile(r"[\w.$-]{1,100}")


def word(value: str) -> str:
    """Return a word in capitals, such as a mechanism; what is another thing is not shown."""
    return value if _WORD.fullmatch(value) else "what is given"


def class_name(value: str) -> str:
    """Return the full name of a class; what is another thing is not shown."""
    return value if _CLASS.fullmatch(value) else "what is given"


def key_name(key: str) -> str:
    """Return a key; one with characters that keys do not have may be a value in the wrong place."""
    return key if _KEY.fullmatch(key) else "with characters that no key has"
