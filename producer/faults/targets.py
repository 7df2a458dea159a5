"""Which faults a scenario can have: what it says of its fields, held against its schema."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from cluster.errors import Misconfigured
from producer.faults.spec import Fault
from schemas.fault_targets import FaultTargets
from schemas.faults import HOT_KEY, OUT_OF_ORDER, UNDECODABLE

if TYPE_CHECKING:
    from schemas.types.tree import Node

__all__ = ["FITS", "FaultTargets", "fitting", "possible"]

_NEEDS = {
    "late": "event_time",
    "clock_skew": "event_time",
    "altered.future_date": "date",
    "altered.negative_duration": "duration",
    "altered.unknown_text": "choice",
    "undecodable.invalid_utf8": "text",
    HOT_KEY: "hot_key",
}
_LACKS = {
    "event_time": "no field of it is known to hold the event's time, in order",
    "date": "no field of it is known to hold a date that is never ahead, and that could hold one a hundred years ahead",
    "duration": "no number of it is declared never to be below zero",
    "choice": "no text of it, beside the key, is declared to be one of a few; an enum cannot hold another one",
    "text": "its schema has no text at the top",
    "hot_key": "its key is neither a text nor a whole number",
}


def possible(
    faults: tuple[Fault, ...],
    targets: FaultTargets,
    scenario: str,
    *,
    breaks: Collection[str],
    has_key: bool = True,
) -> dict[str, tuple[str, ...]]:
    """Return the kinds of each fault that this scenario can have, by the fault's name.

    A family is spread over those of its kinds that are possible.

    :param breaks: the kinds ``undecodable.*`` that the format of its values takes.

    :raises Misconfigured: for a fault none is; all such faults are named, with what the scenario lacks.
    """
    found: dict[str, tuple[str, ...]] = {}
    impossible = []
    for fault in faults:
        lacking = {kind: why for kind in fault.kinds if (why := _lacking(kind, targets, breaks, has_key=has_key))}
        found[fault.name] = tuple(kind for kind in fault.kinds if kind not in lacking)
        if not found[fault.name]:
            impossible.append(f"{fault.name} ({'; '.join(dict.fromkeys(lacking.values()))})")
    if impossible:
        raise Misconfigured(
            f"the scenario {scenario} cannot have the fault {', nor '.join(impossible)}",
            hint="docs/faults.md says what a scenario declares",
        )
    return found


def _lacking(kind: str, targets: FaultTargets, breaks: Collection[str], *, has_key: bool) -> str:
    if kind.startswith(f"{UNDECODABLE}.") and kind not in breaks:
        return "values of its format cannot be broken in this way"
    if kind in (OUT_OF_ORDER, HOT_KEY) and not has_key:
        return "its records have no key"
    need = _NEEDS.get(kind)
    return "" if need is None or getattr(targets, need) else _LACKS[need]


def fitting(targets: FaultTargets, root: Node, key: str | None) -> FaultTargets:
    """Return the targets without those that the schema cannot hold a fault in, and with a text that it has.

    :raises Misconfigured: a target names no field of the schema.
    """
    nodes = {
        name: _node(root, path)
        for name in ("event_time", "date", "duration", "choice")
        if (path := getattr(targets, name)) is not None
    }
    if unknown := [f"{name} ({getattr(targets, name)})" for name, node in nodes.items() if node is None]:
        raise Misconfigured(f"the fault targets name fields that the schema does not have: {', '.join(unknown)}")
    unfit = {
        name: None
        for name, node in nodes.items()
        if node is None or not FITS[name](node) or (name != "event_time" and getattr(targets, name) == key)
    }
    if not targets.choices:
        unfit["choice"] = None
    keyed = dict(root.fields).get(key or "")
    hot = keyed is not None and keyed.kind in ("string", "int", "long") and not keyed.logical
    return targets.model_copy(update=unfit | {"text": _text(targets.text, root), "hot_key": targets.hot_key and hot})


def _node(root: Node, path: str) -> Node | None:
    node: Node | None = root
    for name in path.split("."):
        node = dict(node.fields).get(name) if node is not None else None
    return node


def _text(wanted: str | None, root: Node) -> str | None:
    texts = [name for name, node in root.fields if node.kind == "string"]
    return wanted if wanted in texts else next(iter(texts), None)


def _is_moment(node: Node) -> bool:
    plain = node.kind in ("long", "string") and not node.logical and not node.uuid
    return plain or node.logical.startswith(("timestamp-", "local-timestamp-"))


FITS: dict[str, Callable[[Node], bool]] = {
    "event_time": lambda node: _is_moment(node) or (node.kind == "int" and not node.logical),
    # Seconds in an int end in 2038.
    "date": lambda node: _is_moment(node) or node.logical == "date",
    "duration": lambda node: (
        node.logical == "decimal" or (node.kind in ("int", "long", "float", "double") and not node.logical)
    ),
    "choice": lambda node: node.kind == "string",
}
