"""Avro's resolution rules, with a reason per field path.

The registry has the last word on compatibility, but it can say no without saying why (Apicurio answers a bare
``false``), it cannot compare two versions before the first is registered, and it looks at no logical type. So the gate
asks here first. Rules: Avro 1.12 specification, "Schema Resolution" and "Logical Types".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from schemas.registry.normal import FieldOf, TypeOf, normal

# writer -> readers that may take it
_PROMOTED = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}
# What a number counts, by logical type: what, in words, and how many of it a second has.
_UNITS: dict[str, tuple[str, int]] = {
    "time-millis": ("milliseconds", 1_000),
    "time-micros": ("microseconds", 1_000_000),
    "timestamp-millis": ("milliseconds", 1_000),
    "timestamp-micros": ("microseconds", 1_000_000),
    "timestamp-nanos": ("nanoseconds", 1_000_000_000),
    "local-timestamp-millis": ("milliseconds", 1_000),
    "local-timestamp-micros": ("microseconds", 1_000_000),
    "local-timestamp-nanos": ("nanoseconds", 1_000_000_000),
}
# The types on which a logical type says something; on any other it is ignored.
_BASES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_UNITS, ("long",)),
    "time-millis": ("int",),
    "date": ("int",),
    "duration": ("fixed",),
}
_DURATION_BYTES = 12
_LISTED = 20  # branches of a union that a sentence repeats


def reasons(level: str, older: dict[str, Any], newer: dict[str, Any]) -> list[str]:
    """Return why ``newer`` may not follow ``older`` under a compatibility level; empty if it may.

    BACKWARD: readers with the newer schema read older data. FORWARD: the reverse. FULL: both. NONE: nothing.

    :raises UnsupportedSchema: one of them is not a schema.
    """
    found: list[str] = []
    if level.startswith(("BACKWARD", "FULL")):
        found += [f"{why}; readers of the new schema fail on old data" for why in unreadable(newer, older)]
    if level.startswith(("FORWARD", "FULL")):
        found += [f"{why}; readers of the old schema fail on new data" for why in unreadable(older, newer)]
    return found


def unreadable(reader: dict[str, Any], writer: dict[str, Any]) -> list[str]:
    """Return why ``reader`` cannot read what ``writer`` wrote, each reason with its field path; empty if it can."""
    return [str(found) for found in _resolved(reader, writer) if found.breaks]


def remarks(older: dict[str, Any], newer: dict[str, Any]) -> list[str]:
    """Return what Avro's rules allow and readers take for something else, each with its field path.

    The rules look at no logical type but decimals: a value in milliseconds is readable as one in microseconds, and is
    then off by a factor of 1000.
    """
    return [str(found) for found in _resolved(newer, older) if not found.breaks]


@dataclass(frozen=True, slots=True)
class _Finding:
    """What is wrong at a path below the place at hand; ``breaks`` if no reader gets past it."""

    path: str
    words: str
    breaks: bool = True

    def below(self, path: str) -> _Finding:
        mark = self.path if self.path[:1] in ("", "[", "{", ".") else f".{self.path}"
        return replace(self, path=(path + mark).removeprefix("."))

    def __str__(self) -> str:
        return f"{self.path or 'the record'}: {self.words}"


def _resolved(reader: dict[str, Any], writer: dict[str, Any]) -> tuple[_Finding, ...]:
    return _Resolution().of(normal(reader), normal(writer))


class _Resolution:
    """Resolve two schemas. Each pair of records is resolved once, wherever the schemas use it: linear in their texts.

    Where a pair comes again, the first of its findings stands for all. A pair that is being resolved counts as fitting:
    types that hold themselves end there.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[_Finding, ...]] = {}

    def of(self, reader: TypeOf, writer: TypeOf) -> tuple[_Finding, ...]:
        if writer.kind == "union":
            return _unique(found for branch in writer.branches for found in self.of(reader, branch))
        if reader.kind == "union":
            return self._branch(reader, writer)
        if not _matches(reader, writer):
            return (_Finding("", f"{writer} is not readable as {reader}"),)
        return _logical(reader, writer) + self._within(reader, writer)

    def _branch(self, reader: TypeOf, writer: TypeOf) -> tuple[_Finding, ...]:
        """Take the first branch that reads it: of the same name or kind before one that it is promoted to."""
        fitting = [branch for branch in reader.branches if _matches(branch, writer)]
        exact = [branch for branch in fitting if branch.name and branch.name == writer.name]
        same = [branch for branch in fitting if _kind(branch) == _kind(writer)]
        first: tuple[_Finding, ...] | None = None
        for branch in exact or sorted(fitting, key=lambda one: one not in same):
            found = self.of(branch, writer)
            if not any(one.breaks for one in found):
                return found
            if first is None and branch in same:  # the branch is there, and the fault lies within
                first = found
        return first or (_Finding("", f"{_union_in_words(reader)} has no branch for {writer}"),)

    def _within(self, reader: TypeOf, writer: TypeOf) -> tuple[_Finding, ...]:
        """Compare two types that match by kind and name."""
        match _kind(reader):
            case "record":
                return self._records(reader, writer)
            case "enum":
                known = set(reader.symbols)
                missing = [symbol for symbol in writer.symbols if symbol not in known]
                if missing and "default" not in reader.said:
                    lacks = ", ".join(missing)
                    return (_Finding("", f"the enum that is read lacks {lacks} and has no default"),)
            case "array" if writer.kind == "array":
                return tuple(found.below("[]") for found in self.of(reader.element, writer.element))
            case "map" if writer.kind == "map":
                return tuple(found.below("{}") for found in self.of(reader.element, writer.element))
        return ()

    def _records(self, reader: TypeOf, writer: TypeOf) -> tuple[_Finding, ...]:
        pair = (id(reader.fields), id(writer.fields))
        if pair in self._known:
            return _in_short(self._known[pair], reader)
        self._known[pair] = ()
        written = {one.name: one for one in writer.fields}
        found = _unique(found for field in reader.fields for found in self._field(field, written))
        self._known[pair] = found
        return found

    def _field(self, field: FieldOf, written: dict[str, FieldOf]) -> Iterator[_Finding]:
        match = next((written[name] for name in (field.name, *field.aliases) if name in written), None)
        if match is not None:
            yield from (found.below(field.name) for found in self.of(field.type, match.type))
        elif not field.has_default:
            yield _Finding(field.name, "missing from what is written, and without a default in what is read")


def _in_short(found: tuple[_Finding, ...], record: TypeOf) -> tuple[_Finding, ...]:
    """Return the first finding of each sort, with how many there are beside it."""
    kept = []
    for breaks in (True, False):
        of_sort = [one for one in found if one.breaks is breaks]
        if of_sort:
            more = f" (and {len(of_sort) - 1} more in record {record.name})" if len(of_sort) > 1 else ""
            kept.append(replace(of_sort[0], words=of_sort[0].words + more))
    return tuple(kept)


def _logical(reader: TypeOf, writer: TypeOf) -> tuple[_Finding, ...]:
    """Compare what two types of one kind say of their values."""
    read, wrote = reader.decimal, writer.decimal
    if read is not None and wrote is not None:
        if read == wrote:
            return ()
        of = f"decimal({wrote[0]}, {wrote[1]}) is not readable as decimal({read[0]}, {read[1]})"
        if read[1] != wrote[1]:
            return (_Finding("", f"{of}: the point would move by {abs(read[1] - wrote[1])} digits"),)
        return (_Finding("", f"{of}: Avro matches decimals of one precision and one scale"),)
    was, now = _meaning(writer), _meaning(reader)
    if was == now:
        return ()
    words = f"{_in_words(writer)} becomes {_in_words(reader)}"
    units = [_UNITS[one] for one in (was, now) if one in _UNITS]
    if len(units) == 2 and units[0][1] != units[1][1]:
        factor = max(units[0][1], units[1][1]) // min(units[0][1], units[1][1])
        words += f": {units[0][0]} read as {units[1][0]} are off by a factor of {factor}"
    else:
        same = "bytes are" if writer.kind in ("bytes", "fixed", "string") else "numbers are"
        words += f": the {same} the same, and readers take them for something else"
    return (_Finding("", words, breaks=False),)


def _meaning(of: TypeOf) -> str:
    """Return what a type's values stand for beyond their kind: a valid logical type, ``decimal``, or nothing."""
    if of.decimal is not None:
        return "decimal"
    if of.kind not in _BASES.get(of.logical, ()) or (of.logical == "duration" and of.size != _DURATION_BYTES):
        return ""
    return of.logical


def _union_in_words(of: TypeOf) -> str:
    if len(of.branches) <= _LISTED:
        return str(of)
    return f"{' | '.join(map(str, of.branches[:_LISTED]))} | {len(of.branches) - _LISTED} more"


def _in_words(of: TypeOf) -> str:
    return str(of) if _meaning(of) else f"plain {of.kind}"


def _matches(reader: TypeOf, writer: TypeOf) -> bool:
    """True if the kinds match, the names do, and the sizes do; what lies within is not looked at."""
    read, wrote = _kind(reader), _kind(writer)
    if read != wrote:
        return read in _PROMOTED.get(wrote, ())
    if read in ("record", "enum", "fixed") and not _same_name(reader, writer):
        return False
    return read != "fixed" or reader.size == writer.size


def _same_name(reader: TypeOf, writer: TypeOf) -> bool:
    """Unqualified names count, as in Avro's own libraries, and the reader's aliases."""
    names = {name.rsplit(".", 1)[-1] for name in (reader.name, *reader.aliases)}
    return writer.short_name in names


def _kind(of: TypeOf) -> str:
    return "record" if of.kind == "error" else of.kind


def _unique(found: Iterable[_Finding]) -> tuple[_Finding, ...]:
    return tuple(dict.fromkeys(found))
