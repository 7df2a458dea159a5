"""The names that our SQL uses for itself: of relations, columns, aliases and parameters, from every file that has some.

A field of a topic may be called as any of them. DuckDB takes letters of either case for the same, and lets a column win
over an alias, and over the parameter of a lambda that has a point behind it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.kit import ROOT

_PACKAGES = ("consumer", "schemas")  # what the others ask is asked of topics of their own
_SQL = re.compile(r"\b(SELECT|FROM|JOIN|CASE|WHERE|lambda|MACRO|WITH|struct_pack)\b")
_CATALOGUE = re.compile(r"\b(pg_|alembic)")  # in PostgreSQL's own, no field is met
_LEFT_OUT = re.compile(r"--[^\n]*|'(?:[^']|'')*'")
_NAME = re.compile(r'(?<![\w.{"])"?([a-z_][a-z0-9_]*)"?(?![\w(}])')
_PAIR = re.compile(r'(?<![\w.])"?([a-z_][a-z0-9_]*)"?\."?([a-z_][a-z0-9_]*)"?(?![\w(])')


def texts_of_sql() -> Iterator[tuple[Path, str]]:
    """Yield every text of SQL that ships, with the file that it is in; values in it are left out."""
    for package in _PACKAGES:
        for path in sorted((ROOT / package).rglob("*.sql")):
            yield path, _LEFT_OUT.sub("''", path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
            for node in ast.walk(tree):
                text = node.value if isinstance(node, ast.Constant) and id(node) not in said else None
                if isinstance(text, str) and _SQL.search(text) and not _CATALOGUE.search(text):
                    yield path, _LEFT_OUT.sub("''", text)


def names() -> list[str]:
    """Return the names that stand alone."""
    return sorted({name for _, text in texts_of_sql() for name in _NAME.findall(text)})


def members() -> dict[str, list[str]]:
    """Return the names that have a point behind them, each with what follows it."""
    found: dict[str, set[str]] = {}
    for _, text in texts_of_sql():
        for first, second in _PAIR.findall(text):
            found.setdefault(first, set()).add(second)
    return {first: sorted(second) for first, second in sorted(found.items())}
