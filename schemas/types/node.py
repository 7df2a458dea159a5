"""One type of a schema, and what is below it: what every reader, writer and store asks.

Named types are shared: a type that is used in many places is one object in all of them. The place where a type is
used inside itself is a node of kind ``recursion``, so the tree always ends: its values are text, and
``schemas/formats/avro/json_text`` is told what stands in it by :attr:`Node.definition`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

RECURSION = "recursion"


@dataclass(slots=True)
class Definition:
    """The record that a recursion stands for; it is known once the record has been read to its end."""

    record: Node | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One type of the schema.

    ``kind`` is an Avro type name, or ``recursion``. A union of null and one other type is that type with
    ``null_branch`` set to the index of null; every other union is ``union``.
    """

    kind: str
    name: str = ""  # of a named type, with its namespace
    logical: str = ""
    null_branch: int | None = None
    fields: tuple[tuple[str, Node], ...] = ()  # record
    items: Node | None = None  # array, map
    branches: tuple[Node, ...] = ()  # union
    symbols: tuple[str, ...] = ()  # enum
    size: int = 0  # fixed
    precision: int = 0  # decimal
    scale: int = 0  # decimal
    uuid: bool = False  # text that is labelled as a UUID
    # What follows says nothing about the types: two schemas that differ in it alone are equal.
    # Of a record's fields, by name, as the schema writes them.
    defaults: Mapping[str, Any] = field(default_factory=dict, compare=False)
    field_aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    field_docs: Mapping[str, str] = field(default_factory=dict, compare=False)
    # Of the type itself: its aliases with their namespace, and the attributes that Avro gives no meaning.
    aliases: tuple[str, ...] = field(default=(), compare=False)
    properties: Mapping[str, Any] = field(default_factory=dict, compare=False)
    # Of the whole below: fields without further ones, and how deep they lie (``schemas/types/limits.py``).
    leaves: int = field(default=1, compare=False)
    levels: int = field(default=0, compare=False)
    recursive: Definition | None = field(default=None, compare=False, repr=False)

    @property
    def nullable(self) -> bool:
        """True if a null may stand here."""
        return self.null_branch is not None or self.kind == "null" or any(b.nullable for b in self.branches)

    @property
    def definition(self) -> Node:
        """Return the record that a recursion stands for."""
        if self.recursive is None or self.recursive.record is None:
            raise TypeError(f"{self.kind} stands for no other type")
        return self.recursive.record

    def element(self) -> Node:
        """Return the item type of an array or the value type of a map."""
        if self.items is None:
            raise TypeError(f"{self.kind} has no items")
        return self.items

    def below(self) -> tuple[Node, ...]:
        """Return the types that this one is made of: of its fields, items or branches."""
        return (*(node for _, node in self.fields), *self.branches, *((self.items,) if self.items else ()))

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it; a type as often as it is used."""
        yield self
        for child in self.below():
            yield from child.walk()

    def weightless(self) -> bool:
        """True if every value of the type takes no bytes at all in Avro."""
        if self.null_branch is not None:
            return False
        if self.kind == "record":
            return all(child.weightless() for _, child in self.fields)
        return self.kind == "null" or (self.kind == "fixed" and self.size == 0)


def full_name(name: str, namespace: str) -> str:
    """Return a type's name with its namespace; a name with a point has its own."""
    if "." in name or not namespace:
        return name.removeprefix(".")
    return f"{namespace}.{name}"


def space_of(schema: Mapping[str, Any], around: str) -> str:
    """Return the namespace of a named type: its own where it says one, also an empty one, and else that around it.

    What is not text is none, as Avro's own parser has it.
    """
    own = schema.get("namespace")
    return own if isinstance(own, str) else around


def member_names(node: Node) -> list[str]:
    """Return the name of each member of a record or a union, as stores have them: all different, whatever the case.

    A field keeps its name. A branch is called by its type, or by the last part of its name; by its whole name, with
    ``_`` for each point, where another branch has the same last part. What then differs in nothing but case gets a
    number. The names of one schema are the same in every process.
    """
    names: list[str] = []
    taken: set[str] = set()
    for wanted in _wanted(node):
        name, number = wanted, 2
        while name.lower() in taken:
            name, number = f"{wanted}_{number}", number + 1
        names.append(name)
        taken.add(name.lower())
    return names


def _wanted(node: Node) -> list[str]:
    if node.kind != "union":
        return [name for name, _ in node.fields]
    short = [branch.name.rsplit(".", 1)[-1] or branch.kind for branch in node.branches]
    return [
        branch.name.replace(".", "_") if branch.name and short.count(name) > 1 else name
        for name, branch in zip(short, node.branches, strict=True)
    ]
