"""Folders of queries: one ``.sql`` file each, with a header of ``-- name: value`` lines.

``needs`` is understood everywhere: columns of the events that the query reads, as ``events.<column>.<struct field>``,
and ``run`` where it is about a run. A query whose needs are not there does not apply.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from cluster.errors import Misconfigured
from schemas.columns.column_type import quote

_HEADER = re.compile(r"^-- (severity|description|needs|title|kind|bar|beside): *(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One query and what its header says. ``name`` is the file's, without suffix; ``head`` the whole header."""

    name: str
    severity: str
    description: str
    needs: tuple[str, ...]
    query: str
    head: Mapping[str, str] = field(default_factory=dict)


def read_folder(folder: Path, *, severities: tuple[str, ...] = ("",)) -> list[SqlFile]:
    """Return the queries of a folder, by severity and name.

    :param severities: what a header may say; the empty one is for queries that have none.
    :raises Misconfigured: a header is not complete; every fault is named at once.
    """
    files, faults = [], []
    for path in sorted(folder.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        header = dict(_HEADER.findall(text))
        needs = tuple(need.strip() for need in header.get("needs", "").split(",") if need.strip())
        if header.get("severity", "") not in severities:
            faults.append(f"{path.name} needs `-- severity: {' | '.join(severities)}`")
        if not header.get("description"):
            faults.append(f"{path.name} needs `-- description: ...`")
        unknown = [need for need in needs if need != "run" and not need.startswith("events.")]
        if unknown:
            faults.append(f"{path.name} needs what is not known: {', '.join(unknown)}")
        query = text.rstrip().rstrip(";")
        said = (header.get("severity", ""), header.get("description", ""))
        files.append(SqlFile(path.stem, *said, needs, query, header))
    if faults:
        raise Misconfigured("; ".join(faults), where=str(folder), hint="docs/checks.md shows a complete header")
    return sorted(files, key=lambda file: (file.severity, file.name))


def lacking(connection: duckdb.DuckDBPyConnection, file: SqlFile, *, has_run: bool) -> list[str]:
    """Return those needs of a query that are not there."""
    return [need for need in file.needs if not (has_run if need == "run" else _has_column(connection, need))]


def _has_column(connection: duckdb.DuckDBPyConnection, need: str) -> bool:
    column = ".".join(quote(part) for part in need.split(".")[1:])
    try:
        connection.execute(f"SELECT {column} FROM events LIMIT 0").fetchall()  # noqa: S608 - quoted above
    except duckdb.BinderException:
        return False
    return True
