"""Tables of words: plain text, a line for each entry; ``#`` begins a remark."""

from __future__ import annotations

from pathlib import Path


def lines_of(file: str) -> list[str]:
    """Return the lines of a table, without remarks."""
    text = (Path(__file__).parent / file).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pairs_of(file: str) -> list[tuple[str, str]]:
    """Return the lines of a table that are names with what they stand for: ``name: this and that``."""
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines_of(file))]


def words_of(file: str) -> frozenset[str]:
    """Return the words of a table that is nothing but words."""
    return frozenset(word for line in lines_of(file) for word in line.split())
