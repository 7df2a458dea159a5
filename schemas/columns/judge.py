"""The one judge of what fits: whether a table can hold a record beside what it holds, and where.

Everybody asks :func:`judge`: the gate before a schema is registered, the generators before the first event, the loader,
and whoever proves what was loaded.

1. a field goes where the field of its name is, or one that its aliases name; each column takes one field of a schema
2. the column's type gives way to the type that holds every value of both (``widening.py``); records and unions unite
   their members, and a type joins a union as a member
3. where no type holds both without loss, or lists lie too deep in each other to be changed, the field gets a column of
   its own with a number, at the top or in the record that it is in. Nothing is refused for it; a remark names it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from schemas.columns.column_type import NULL, ColumnType, SchemaConflict
from schemas.columns.held import Held, Place
from schemas.columns.of_nodes import columns_of
from schemas.columns.widening import wider
from schemas.types.tree import Node

# Arrow numbers the members of a union in seven bits.
MAX_MEMBERS = 127
# Lists and maps in each other whose values become others: a store goes through them item by item, and each level takes
# it twice as long as the one above, whatever is in them.
MAX_CHANGED_LEVELS = 8
_LISTED = 20  # names of members that a sentence repeats
_SAID = 160  # characters of a type that a sentence repeats
Kind = Literal["new_column", "wider", "renamed", "numbered"]
NEW_COLUMN: Kind = "new_column"
WIDER: Kind = "wider"
RENAMED: Kind = "renamed"
NUMBERED: Kind = "numbered"
# What Avro calls the types that a wider type came from none of.
_BRANCHES = {"DOUBLE": "double", "BIGINT": "long", "BLOB": "bytes", "VARCHAR": "string", "INTEGER": "int"}


@dataclass(frozen=True, slots=True)
class Remark:
    """What becomes of a field that is not simply a column of its own name.

    :ivar path: of the field: ``a.b``, ``a[]`` for the items of an array, ``a{}`` for the values of a map.
    :ivar kind: ``new_column``: no type holds the field and the column of its name, so it gets another column;
        ``wider``: a column gets a type that holds more; ``renamed``: an alias united two fields; ``numbered``: another
        field has a column of its name.
    """

    path: str
    kind: Kind
    sentence: str

    def __str__(self) -> str:
        """Return path and sentence."""
        return f"{self.path}: {self.sentence}"


# Functions with names: rules go to other processes.
def _any_type(_old: ColumnType, _new: ColumnType) -> bool:
    return True


def _any_table(_columns: ColumnType) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class StoreRules:
    """What differs between stores.

    :ivar reserved: names that no column of a field has; case does not matter.
    :ivar may_become: whether a column that is there may get a type.
    :ivar renames: whether a column that is there may get a name.
    :ivar refuses: why there can be no table of all columns, given as a struct's members; empty where there can.
    """

    reserved: tuple[str, ...] = ()
    may_become: Callable[[ColumnType, ColumnType], bool] = _any_type
    renames: bool = True
    refuses: Callable[[ColumnType], str] = _any_table


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a field of a schema is.

    :ivar source: its type by its schema.
    :ivar target: the type of the column.
    """

    field: str
    column: str
    place: Place
    source: ColumnType
    target: ColumnType


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a table is with a schema.

    :ivar columns: of the fields, in the order of the schema.
    :ivar renamed: paths of columns and members that got another name: before, and what the last part is now.
    """

    held: Held
    columns: tuple[Placed, ...]
    remarks: tuple[Remark, ...] = ()
    renamed: tuple[tuple[tuple[str, ...], str], ...] = ()


def judge(held: Held, root: Node, rules: StoreRules | None = None) -> Judgement:
    """Return how a table holds a record beside what it holds.

    :raises SchemaConflict: no table can hold it.
    """
    rules = rules or StoreRules()
    source = columns_of(root)
    fitting = _Fitting(rules)
    record, place = fitting.struct(held.record, source, (), ())
    if why := rules.refuses(record):
        raise SchemaConflict(why)
    return Judgement(
        Held(record), placed(Held(record), source, place.inside), tuple(fitting.remarks), tuple(fitting.renamed)
    )


def placed(held: Held, source: ColumnType, places: Iterable[Place]) -> tuple[Placed, ...]:
    """Return where the fields of a schema are, from the places that were kept of them.

    :param source: what :func:`columns_of` makes of the schema.
    :raises IndexError: there is no such place.
    :raises ValueError: there are more or fewer places than fields.
    """
    found = []
    for (_, kind), names, place in zip(source.members, source.fields, places, strict=True):
        column, target = held.record.members[place.at]
        found.append(Placed(names[0], column, place, kind, target))
    return tuple(found)


@dataclass(slots=True)
class _Fitting:
    """One judgement: it notes what happens on the way. What is taken back takes its notes with it."""

    rules: StoreRules
    remarks: list[Remark] = field(default_factory=list)
    renamed: list[tuple[tuple[str, ...], str]] = field(default_factory=list)

    def united(  # noqa: PLR0911 - one for each pair of shapes
        self, held: ColumnType, new: ColumnType, path: tuple[str, ...], where: tuple[str, ...]
    ) -> _Fit | None:
        """Return the type that holds both, and the place of the new one's values; ``None`` where there is none.

        :param path: of the field by its schema; ``where``: of the column.
        """
        if new.name == NULL:
            return held, Place(0)
        if held.name == NULL:
            return new, identity(new)
        if held.name == "UNION" or new.name == "UNION":
            return self._union(held, new, path, where)
        if held.name != new.name or not (held.members or held.name == "STRUCT"):
            return self._scalar(held, new, path)
        match held.name:
            case "STRUCT":
                return self.struct(held, new, path, where)
            case "LIST":
                return self._inside(held, new, path, where, "[]")
        return self._inside(held, new, path, where, "{}")

    def struct(self, held: ColumnType, new: ColumnType, path: tuple[str, ...], where: tuple[str, ...]) -> _Fit:
        """Return a record that holds the fields of both."""
        members, fields = list(held.members), list(held.fields)
        places, conflicts = self._known_fields(
            members, fields, list(zip(new.members, new.fields, strict=True)), path, where
        )
        taken = {called.lower() for called, _ in members} | self._reserved(top=not path)
        for number, ((name, kind), names) in enumerate(zip(new.members, new.fields, strict=True)):
            if number in places:
                continue
            asked = name if path else names[0]
            given = _free(asked, taken)
            taken.add(given.lower())
            if number in conflicts:
                self._note((*path, names[0]), NEW_COLUMN, f"{conflicts[number]}, so it gets the column {given}")
            elif given != asked:
                self._note((*path, names[0]), NUMBERED, f"it gets the column {given}, as the name is taken")
            places[number] = replace(identity(kind), at=len(members))
            members.append((given, kind))
            fields.append(names)
        grown = ColumnType("STRUCT", tuple(members), held.branch or new.branch, tuple(fields))
        return grown, Place(0, tuple(places[number] for number in range(len(new.members))))

    def _known_fields(
        self,
        members: list[tuple[str, ColumnType]],
        fields: list[tuple[str, ...]],
        wanted: list[tuple[tuple[str, ColumnType], tuple[str, ...]]],
        path: tuple[str, ...],
        where: tuple[str, ...],
    ) -> tuple[dict[int, Place], dict[int, str]]:
        """Let members take the fields that they hold; return the places of those, and why others have none."""
        places: dict[int, Place] = {}
        claimed: set[int] = set()
        conflicts: dict[int, str] = {}
        holding: dict[str, list[int]] = {}
        taken = {name.lower() for name, _ in members}
        for at, known in enumerate(fields):
            for name in known:
                holding.setdefault(name, []).append(at)
        for rule in (_exact, _own, _by_alias):
            for number, ((_, kind), names) in enumerate(wanted):
                for at in () if number in places else rule(members, holding, names):
                    if at in claimed:
                        continue
                    name, there = members[at]
                    fit = self._tried(there, kind, (*path, names[0]), (*where, name))
                    if fit is None:
                        conflicts.setdefault(number, f"{name} is {_said(there)} in the table and {_said(kind)} here")
                        continue
                    claimed.add(at)
                    places[number] = replace(fit[1], at=at)
                    if rule is _by_alias or name in names[1:]:  # an old name that is the new one again, too
                        name = self._renamed(name, names[0], taken, (*path, names[0]), where)
                    members[at] = (name, fit[0])
                    fields[at] = tuple(dict.fromkeys((*fields[at], *names)))
                    break
        return places, conflicts

    def _tried(self, held: ColumnType, new: ColumnType, path: tuple[str, ...], where: tuple[str, ...]) -> _Fit | None:
        """Return what holds both where the store takes it, and forget what was noted where it does not."""
        notes, renamed = len(self.remarks), len(self.renamed)
        fit = self.united(held, new, path, where)
        if fit is not None and (fit[0] == held or self.rules.may_become(held, fit[0])):
            return fit
        del self.remarks[notes:], self.renamed[renamed:]
        return None

    def _inside(
        self, held: ColumnType, new: ColumnType, path: tuple[str, ...], where: tuple[str, ...], mark: str
    ) -> _Fit | None:
        """Unite the items of arrays or the values of maps; keys are text."""
        (name, one), (_, other) = held.members[-1], new.members[-1]
        inner = (*path[:-1], f"{path[-1]}{mark}")
        fit = self.united(one, other, inner, (*where, name))
        if fit is None:
            return None
        grown, place = fit
        changed = grown != one or grown != other or place != identity(other)
        if changed and sum(part.count("[]") + part.count("{}") for part in inner) > MAX_CHANGED_LEVELS:
            return None
        places = (*(Place(at) for at in range(len(held.members) - 1)), replace(place, at=len(held.members) - 1))
        return replace(held, members=(*held.members[:-1], (name, grown))), Place(0, places)

    def _scalar(self, held: ColumnType, new: ColumnType, path: tuple[str, ...]) -> _Fit | None:
        name = None if held.members or new.members else wider(held.name, new.name)
        if name is None:
            return None
        if name == held.name:
            return held, Place(0)
        branch = new.branch if name == new.name else _BRANCHES.get(name, held.branch)
        self._note(path, WIDER, f"the column becomes {name}, which holds {held.name} and {new.name}")
        return ColumnType(name, branch=branch), Place(0)

    def _union(self, held: ColumnType, new: ColumnType, path: tuple[str, ...], where: tuple[str, ...]) -> _Fit | None:
        """Unite the members of both. A type that is no union is the first member of the one that it becomes."""
        was = held.name == "UNION"
        members: list[tuple[str, ColumnType]] = list(held.members) if was else [(_short(held.branch), held)]
        fields: list[tuple[str, ...]] = list(held.fields) if was else [(held.branch,)]
        branches = list(new.members) if new.name == "UNION" else [(_short(new.branch), new)]
        names = list(new.fields) if new.name == "UNION" else [(new.branch,)]
        places = self._known_branches(members, fields, list(zip(branches, names, strict=True)), path, where)
        for number, (name, kind) in enumerate(branches):
            if number not in places:
                places[number] = replace(identity(kind), at=len(members))
                members.append((_free(name, {called.lower() for called, _ in members}), kind))
                fields.append(names[number])
        if len(members) > MAX_MEMBERS:
            return None
        if not was or len(members) > len(held.members):
            self._note(path, WIDER, f"the column becomes a union of {_listed([name for name, _ in members])}")
        grown = ColumnType("UNION", tuple(members), "union", tuple(fields))
        if new.name == "UNION":
            return grown, Place(0, tuple(places[number] for number in range(len(branches))))
        return grown, Place(0, places[0].inside, branch=places[0].at)

    def _known_branches(
        self,
        members: list[tuple[str, ColumnType]],
        fields: list[tuple[str, ...]],
        branches: list[tuple[tuple[str, ColumnType], tuple[str, ...]]],
        path: tuple[str, ...],
        where: tuple[str, ...],
    ) -> dict[int, Place]:
        """Let members take the branches that have their names, and return the places of those."""
        places: dict[int, Place] = {}
        claimed: set[int] = set()
        for same in (_one_name, _short_name):
            for number, ((_, kind), names) in enumerate(branches):
                for at in () if number in places else range(len(members)):
                    if at in claimed or not same(names, fields[at]):
                        continue
                    fit = self._tried(members[at][1], kind, path, (*where, members[at][0]))
                    if fit is None:
                        continue
                    claimed.add(at)
                    places[number] = replace(fit[1], at=at)
                    members[at] = (members[at][0], fit[0])
                    fields[at] = tuple(dict.fromkeys((*fields[at], *names)))
                    break
        return places

    def _renamed(self, old: str, new: str, taken: set[str], path: tuple[str, ...], where: tuple[str, ...]) -> str:
        """Return the name of a column that holds a field and one that its alias names.

        :param taken: names of columns in small letters; they follow.
        """
        used = new.lower() in taken and new.lower() != old.lower()
        if not self.rules.renames or used or new.lower() in self._reserved(top=not where) or new == old:
            return old
        taken.discard(old.lower())
        taken.add(new.lower())
        self.renamed.append(((*where, old), new))
        self._note(path, RENAMED, f"the column {old} becomes {new}, as an alias says that the two are one field")
        return new

    def _reserved(self, *, top: bool) -> set[str]:
        return {name.lower() for name in self.rules.reserved} if top else set()

    def _note(self, path: tuple[str, ...], kind: Kind, sentence: str) -> None:
        self.remarks.append(Remark(".".join(path), kind, sentence))


_Fit = tuple[ColumnType, Place]


def identity(kind: ColumnType) -> Place:
    """Return the place of a type in a column that was made for it."""
    return Place(0, tuple(replace(identity(child), at=at) for at, (_, child) in enumerate(kind.members)))


def _exact(
    members: list[tuple[str, ColumnType]], holding: Mapping[str, list[int]], names: tuple[str, ...]
) -> Iterable[int]:
    """Yield the member that has a field's name, if it holds it."""
    return (at for at in holding.get(names[0], ()) if members[at][0] == names[0])


def _own(_: list[tuple[str, ColumnType]], holding: Mapping[str, list[int]], names: tuple[str, ...]) -> Iterable[int]:
    """Return the members that hold fields of a field's name."""
    return holding.get(names[0], ())


def _by_alias(
    _: list[tuple[str, ColumnType]], holding: Mapping[str, list[int]], names: tuple[str, ...]
) -> Iterable[int]:
    """Return the members that hold fields with one of a field's aliases as their name."""
    return sorted({at for alias in names[1:] for at in holding.get(alias, ())})


def _free(name: str, taken: set[str]) -> str:
    """Return the name, with a number where it is taken.

    :param taken: names in small letters.
    """
    given, number = name, 2
    while given.lower() in taken:
        given, number = f"{name}_{number}", number + 1
    return given


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _said(kind: ColumnType) -> str:
    """Return a type for a sentence."""
    if kind.name == "STRUCT" and not kind.members:
        return "a record without fields"
    sql = str(kind)
    if len(sql) <= _SAID:
        return sql
    return f"{sql[:_SAID]}..." if kind.name in ("LIST", "MAP") else f"a {kind.name} of {len(kind.members)} members"


def _one_name(names: tuple[str, ...], held: tuple[str, ...]) -> bool:
    return bool(set(names) & set(held))


def _short_name(names: tuple[str, ...], held: tuple[str, ...]) -> bool:
    """Unqualified names count, as in Avro's own libraries, where the full name is not there."""
    return _short(names[0]) in {_short(name) for name in held}


def _short(branch: str) -> str:
    return branch.rsplit(".", 1)[-1]
