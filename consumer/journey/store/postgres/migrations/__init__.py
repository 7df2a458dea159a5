"""Formats of a group's tables in PostgreSQL: ``versions/format_N.py`` makes format N of one of format N - 1."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
NEWEST = len(list((FOLDER / "versions").glob("format_*.py")))
