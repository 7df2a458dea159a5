"""The name of a table in the text of a place: ``table``, ``schema.table``, ``"as it is"."with.dots"``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cluster.errors import Misconfigured

_QUOTED = r'"(?:[^"]|"")+"'
_PART = re.compile(rf'({_QUOTED})|([^".]+)|(\.)')


@dataclass(frozen=True, slots=True)
class TableName:
    """A name as it was written: its parts, and whether dots may belong to a part."""

    parts: tuple[str, ...]
    quoted: bool = False

    def __str__(self) -> str:
        """Return the name without quotes."""
        return ".".join(self.parts)

    def readings(self) -> Iterator[tuple[str, ...]]:
        """Yield what it may mean, the likeliest first: a schema and a table, or a table alone.

        A schema may have dots in its name, as topics have; so each dot is tried, from the last one on.
        """
        if self.quoted:
            yield self.parts
            return
        for at in range(len(self.parts) - 1, 0, -1):
            yield ".".join(self.parts[:at]), ".".join(self.parts[at:])
        yield (".".join(self.parts),)


def read_table_name(text: str) -> TableName:
    """Read a name.

    :raises Misconfigured: it is none.
    """
    parts: list[str] = []
    at, quoted, after_dot = 0, False, True
    while at < len(text):
        found = _PART.match(text, at)
        if found is None or (found[3] is not None) == after_dot:
            raise _no_name(text)
        if found[3] is None:
            quoted |= found[1] is not None
            parts.append(found[1][1:-1].replace('""', '"') if found[1] else found[2])
        after_dot = found[3] is not None
        at = found.end()
    if after_dot or (quoted and len(parts) > 2):
        raise _no_name(text)
    return TableName(tuple(parts), quoted=quoted)


def _no_name(text: str) -> Misconfigured:
    return Misconfigured(
        f"{text[:80]!r} is not the name of a table",
        hint='Give #table or #schema.table; a name with a dot or a quote in it stands in quotes: #"my schema"."a.b"',
    )
