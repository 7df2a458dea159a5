"""One block of events: the columns of the schema, built from the rules from the outside in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cluster.errors import Misconfigured
from producer.scenarios.declared.field_paths import scope_of
from producer.scenarios.declared.rules import MAX_LENGTH, UNITS_US, Computed, Rule
from producer.scenarios.declared.typing_of_values import laid_out, most_of, seen
from producer.scenarios.declared.values import MAP_KEYS, Values, amounts, generator, ranked, shifted, whole
from producer.scenarios.declared.vocabulary import Faked, Rows, simple, vocabulary_of
from producer.toolkit.arrays import column, taken
from schemas.types.arrow import typed_type
from schemas.types.node import Node, member_names

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_KEYS = pa.array(MAP_KEYS)


@dataclass(frozen=True, slots=True)
class Frame:
    """The rows of the event itself, or of the items of one list or map within it.

    ``number`` is what a sequence counts; ``rows`` leads from each row to the row of ``parent`` that it is in.
    """

    scope: str
    size: int
    number: Ints
    event_us: Ints
    parent: Frame | None = None
    rows: Ints | None = None


class Block:
    """The columns of one block. Each field draws from a generator of its own, so that a new field changes no other.

    :param nodes: the types, by path.
    :param seeds: seed, shard and number of the block.
    """

    def __init__(
        self,
        nodes: Mapping[str, Node],
        rules: Mapping[str, Rule],
        vocabularies: Mapping[str, Faked],
        pools: Mapping[str, Rows],
        seeds: tuple[int, int, int],
    ) -> None:
        self._nodes = nodes
        self._rules = rules
        self._vocabularies = vocabularies
        self._pools = pools
        self._seeds = seeds
        self._known: dict[str, Values] = {}
        self._pool_rows: dict[tuple[str, str], Ints] = {}
        self._missed: dict[str, NDArray[np.bool_] | None] = {}
        self._inner: dict[str, tuple[Ints, Frame]] = {}

    def columns(self, root: Node, frame: Frame, *, without: frozenset[str]) -> pa.RecordBatch:
        """Return the rows of the schema, without the fields that the identity takes."""
        named = {name: self._column(name, node, frame) for name, node in root.fields if name not in without}
        return pa.RecordBatch.from_arrays(list(named.values()), names=list(named))

    def _rng(self, path: str, purpose: str) -> np.random.Generator:
        return generator(*self._seeds, path, purpose)

    def _column(self, path: str, node: Node, frame: Frame) -> Any:
        rule = self._rules[path]
        if node.kind == "null":
            return pa.nulls(frame.size)
        missing = self._missing(path, frame)
        if node.kind == "record":
            return self._record(path, node, frame, missing)
        if node.kind in ("array", "map"):
            return self._repeated(path, node, frame, missing)
        if node.kind == "union":
            return self._union(path, node, frame)
        found = laid_out(self._values(path, frame), node, path, written=rule.written)
        return found if missing is None else _blanked(found, missing)

    def _missing(self, path: str, frame: Frame) -> NDArray[np.bool_] | None:
        """Return where a field is null; ``None`` where it never is. A union has a branch for it."""
        if path not in self._missed:
            node = self._nodes[path]
            may = node.nullable and node.kind not in ("union", "null")
            self._missed[path] = self._nulls(path, self._rules[path], frame) if may else None
        return self._missed[path]

    def _nulls(self, path: str, rule: Rule, frame: Frame) -> NDArray[np.bool_] | None:
        if rule.nulls_with is not None:
            return self._missing(rule.nulls_with, frame)
        if rule.nulls_where is not None:
            ((other, values),) = rule.nulls_where.items()
            found = self._referred(other, frame)
            known = found.data.cast(pa.float64()) if found.kind == "number" else found.data
            return np.asarray(pc.is_in(known, pa.array(values, known.type)))
        return self._rng(path, "null").random(frame.size) < rule.nulls if rule.nulls else None

    def _record(self, path: str, node: Node, frame: Frame, missing: Any) -> Any:
        if not node.fields:  # true where the record is there
            there = pa.repeat(True, frame.size)
            return there if missing is None else _blanked(there, missing)
        children = [self._column(f"{path}.{name}", child, frame) for name, child in node.fields]
        kind = typed_type(node)
        fields = [kind.field(place) for place in range(kind.num_fields)]
        mask = None if missing is None else pa.array(missing)
        return pa.StructArray.from_arrays(children, fields=fields, mask=mask)

    def _repeated(self, path: str, node: Node, frame: Frame, missing: Any) -> Any:
        if (options := self._rules[path].options) is not None:
            return self._whole(path, node, frame, missing, options)
        lengths, inner = self._items(path, frame)
        below, rows, number = inner.scope, inner.rows, inner.number
        items = self._column(below, node.element(), inner)
        offsets = np.zeros(frame.size + 1, dtype=np.int32)
        np.cumsum(lengths, out=offsets[1:])
        mask = None if missing is None else pa.array(missing)
        if node.kind == "array":
            return pa.ListArray.from_arrays(column(offsets), items, type=typed_type(node), mask=mask)
        # Keys of one map follow each other in the list of words from where chance begins, so none is there twice.
        begin = self._rng(path, "keys").integers(0, len(MAP_KEYS), frame.size)
        keys = taken(_KEYS, (begin[rows] + number) % len(MAP_KEYS))
        maps: Any = pa.MapArray  # the stubs miss this form
        return maps.from_arrays(column(offsets), keys, items, type=typed_type(node), mask=mask)

    def _items(self, path: str, frame: Frame) -> tuple[Ints, Frame]:
        """Return how many items each list or map has, and the frame of all of them."""
        if path in self._inner:
            return self._inner[path]
        node, rule = self._nodes[path], self._rules[path]
        lengths = np.zeros(frame.size, dtype=np.int64)
        if rule.options is not None:
            lengths = np.array([len(one) for one in rule.options])[self._options(path, frame, len(rule.options))]
        elif rule.length is not None:
            most = MAX_LENGTH if node.kind == "array" else len(MAP_KEYS)
            lengths = whole(self._rng(path, "length"), rule.length, frame.size, most=most)
        if (missing := self._missing(path, frame)) is not None:
            lengths[missing] = 0
        rows = np.repeat(np.arange(frame.size), lengths)
        first = np.cumsum(lengths) - lengths
        below = path + ("[]" if node.kind == "array" else "{}")
        inner = Frame(below, len(rows), np.arange(len(rows)) - first[rows], frame.event_us[rows], frame, rows)
        self._inner[path] = lengths, inner
        return self._inner[path]

    def _options(self, path: str, frame: Frame, number: int) -> Ints:
        return self._rng(path, "option").integers(0, number, frame.size)

    def _whole(self, path: str, node: Node, frame: Frame, missing: Any, options: tuple[Any, ...]) -> Any:
        """Return lists or maps that are taken as they are from those that the rule names."""
        named = [list(one.items()) if isinstance(one, dict) else one for one in options]
        rows = self._options(path, frame, len(named))
        try:
            known: Any = pa.array(named, typed_type(node))
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            said = str(error).splitlines()[0]
            raise Misconfigured(f"field {path}: an option does not fit the type {node.kind}: {said}") from None
        return taken(known, rows, missing=missing)

    def _union(self, path: str, node: Node, frame: Frame) -> Any:
        names = member_names(node)
        branches = self._rules[path].branches or {}
        weights = np.array([branches.get(name, 0.0) for name in names])
        codes = self._rng(path, "branch").choice(len(names), frame.size, p=weights / weights.sum())
        children = [
            self._column(f"{path}<{name}>", branch, frame) for name, branch in zip(names, node.branches, strict=True)
        ]
        return pa.UnionArray.from_sparse(column(codes.astype(np.int8)), children, names)

    def _values(self, path: str, frame: Frame) -> Values:
        """Return the values of a plain field before any becomes null; other fields may refer to them."""
        if path in self._known:
            return self._known[path]
        rule = self._rules[path]
        rng = self._rng(path, "value")
        if rule.reference is not None:
            found = self._referred(rule.reference.field, frame)
            times = None if rule.reference.times is None else amounts(rng, rule.reference.times, frame.size)
            plus = None if rule.reference.plus is None else amounts(rng, rule.reference.plus, frame.size)
            if times is not None or plus is not None:
                found = shifted(found, times=times, plus=plus, digits=rule.reference.round)
        elif rule.computed is not None:
            found = self._computed(rule.computed, self._nodes[path], frame)
        elif rule.pool is not None:
            name, _, column = rule.pool.partition(".")
            found = self._pools[name].columns[column].take(self._rows_of(name, frame))
        elif rule.timestamp is not None:
            found = Values("time", pa.array(frame.event_us))
            if rule.timestamp.back_s is not None:
                found = shifted(found, times=None, plus=-amounts(rng, rule.timestamp.back_s, frame.size))
        elif rule.faker is not None:
            rows = ranked(rng, frame.size, rule.faker.pool, rule.faker.skew)
            found = self._vocabularies[vocabulary_of(rule.faker)].take(rows)
        else:
            found = simple(rule, rng, frame.size, frame.number)
        self._known[path] = found
        return found

    def _computed(self, one: Computed, node: Node, frame: Frame) -> Values:
        """Return what follows from other fields, in the numbers that a type holds."""
        whole = node.kind in ("int", "long")
        if one.count is not None:
            numbers: Any = self._items(one.count, frame)[0].astype(np.float64)
        elif one.span is not None:
            start, end = (self._seen(path, frame) for path in one.span)
            exact = (end - start) / UNITS_US[one.unit]
            numbers = np.trunc(exact) if whole else np.round(exact, 9)
        elif one.ratio is not None:
            part, of = (self._part(path, frame) for path in one.ratio)
            numbers = np.divide(part, of, out=np.zeros(frame.size), where=of != 0)
        else:
            named = one.sum or one.product or ()
            parts = [self._part(path.removeprefix("-"), frame) * (-1 if path[0] == "-" else 1) for path in named]
            numbers = np.sum(parts, axis=0) if one.sum else np.prod(parts, axis=0)
        numbers = numbers * (1 if one.times is None else one.times) + (one.plus or 0)
        digits = 0 if whole else one.round
        numbers = np.round(numbers, digits) if digits is not None else numbers
        return Values("number", pa.array(np.clip(numbers, -most_of(node), most_of(node))))

    def _part(self, path: str, frame: Frame) -> Floats:
        """Return the numbers of a field for each row, or the sums of those of its items; what is null is nothing."""
        inside = scope_of(path)
        if inside != frame.scope and inside.startswith(frame.scope):
            lengths, inner = self._items(inside[:-2], frame)
            rows = np.repeat(np.arange(frame.size), lengths)
            return np.bincount(rows, weights=self._part(path, inner), minlength=frame.size).astype(np.float64)
        numbers = self._seen(path, frame)
        missing = self._missing(path, frame) if inside == frame.scope else None
        return numbers if missing is None else np.where(missing, 0.0, numbers)

    def _seen(self, path: str, frame: Frame) -> Any:
        return seen(self._referred(path, frame), self._nodes[path], self._rules[path].written)

    def _referred(self, target: str, frame: Frame) -> Values:
        """Return the values of a field of this scope or of one around it, for each row of this one."""
        scope, at, rows = scope_of(target), frame, None
        while at.scope != scope and at.parent is not None and at.rows is not None:
            rows = at.rows if rows is None else at.rows[rows]
            at = at.parent
        values = self._values(target, at)
        return values if rows is None else values.take(rows)

    def _rows_of(self, pool: str, frame: Frame) -> Ints:
        """Return the rows of a pool that a scope takes: all its fields take the same."""
        key = (frame.scope, pool)
        if key not in self._pool_rows:
            rows = self._pools[pool]
            self._pool_rows[key] = ranked(self._rng(frame.scope, f"pool {pool}"), frame.size, rows.size, rows.skew)
        return self._pool_rows[key]


def _blanked(values: Any, missing: NDArray[np.bool_]) -> Any:
    return pc.if_else(pa.array(missing), pa.scalar(None, values.type), values)
