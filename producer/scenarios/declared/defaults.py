"""What a field's values are when the file does not say: by Avro type, logical type and name."""

from __future__ import annotations

import re
from typing import Any

from producer.scenarios.declared.field_paths import Place
from producer.scenarios.declared.rules import Rule
from producer.scenarios.declared.texts_of_types import texts_of
from schemas.types.node import member_names

_NULLS = 0.1
_PRICE = {"kind": "lognormal", "median": 30, "sigma": 0.8, "min": 0.5, "max": 5000, "round": 2}
_AGO = {"timestamp": {"back_s": {"kind": "exponential", "mean": 30 * 86_400}}}
_BORN = {"timestamp": {"back_s": {"kind": "uniform", "low": 18 * 31_557_600, "high": 85 * 31_557_600}}}
# Names are compared as words in lower case, joined by underscores: customerName is customer_name.
_TIME = r"(^|_)(ts|timestamp|time|date|datetime)$|_(at|on)$"
_PAST = r"(^|_)(created|registered|joined|started|start|opened|since|valid_from)(_|$)"
_BIRTH = r"(^|_)(birth|born|dob|birthday|birthdate)(_|$)"
_ID = r"(^|_)(id|uid|key|number|no|nr|ref|sku|code)$"
_TEXT: tuple[tuple[str, dict[str, Any]], ...] = (
    (r"(^|_)(uuid|guid)$", {"uuid": True}),
    (r"e?mail", {"faker": "email"}),
    (r"(first|given)_name", {"faker": "first_name"}),
    (r"(last|family|sur)_?name", {"faker": "last_name"}),
    (r"(user|login|account)_?name|(^|_)login$", {"faker": "user_name"}),
    (r"(company|employer|vendor|supplier|brand|merchant)", {"faker": "company"}),
    (r"(product|item|file|host|event|topic)_name", {"faker": "word"}),
    (r"(^|_)name$", {"faker": "name"}),
    (r"phone|mobile_number", {"faker": "phone_number"}),
    (r"country_code", {"faker": "country_code"}),
    (r"country", {"faker": "country"}),
    (r"(^|_)(city|town)", {"faker": "city"}),
    (r"(^|_)(zip|postal|post)_?code|(^|_)zip$", {"faker": "postcode"}),
    (r"ip(_?addr|_?address)?$|^ip_", {"faker": "ipv4"}),
    (r"address|street", {"faker": "street_address"}),
    (r"ur[il]$|link$", {"faker": "uri"}),
    (r"user_?agent", {"faker": "user_agent"}),
    (r"currency", {"choice": {"EUR": 4, "USD": 4, "GBP": 2, "CHF": 1}}),
    (r"lang|locale", {"faker": "language_code"}),
    (r"colou?r", {"faker": "color_name"}),
    (r"job|profession|occupation", {"faker": "job"}),
    (r"(^|_)(status|state)$", {"choice": {"new": 5, "active": 3, "done": 2}}),
    (r"(^|_)(type|kind|category|group|class)$", {"choice": {"a": 5, "b": 3, "c": 2}}),
    (_BIRTH, _BORN),
    (_PAST, _AGO),
    (_TIME, {"timestamp": {}}),
    (r"description|comment|note|text|message|title|subject|body|reason", {"faker": "sentence"}),
)
_NUMBER: tuple[tuple[str, dict[str, Any]], ...] = (
    (r"(^|_)age$", {"distribution": {"kind": "normal", "mean": 42, "sd": 15, "min": 18, "max": 95, "round": 0}}),
    (r"(^|_)year$", {"distribution": {"kind": "uniform", "low": 1990, "high": 2025, "round": 0}}),
    (r"quantity|qty|count|items", {"distribution": {"kind": "poisson", "mean": 2, "min": 1}}),
    (r"(^|_)lat(itude)?$", {"distribution": {"kind": "uniform", "low": -60, "high": 70, "round": 6}}),
    (r"(^|_)(lon|lng|longitude)$", {"distribution": {"kind": "uniform", "low": -180, "high": 180, "round": 6}}),
    (r"price|amount|total|cost|fee|value|balance|revenue", {"distribution": _PRICE}),
    (r"percent|pct", {"distribution": {"kind": "uniform", "low": 0, "high": 100, "round": 1}}),
    (r"ratio|share|rate|score|probability", {"distribution": {"kind": "uniform", "low": 0, "high": 1, "round": 4}}),
    (r"temperature|temp$", {"distribution": {"kind": "normal", "mean": 20, "sd": 6, "round": 1}}),
    (
        r"duration|elapsed|latency|seconds|millis|bytes|size|length",
        {"distribution": {"kind": "lognormal", "median": 120, "sigma": 1, "max": 100_000, "round": 0}},
    ),
)


def default_rule(place: Place, *, own_id: bool) -> Rule:
    """Return the rule of a place that the file does not name.

    :param own_id: it is the identifier of the event itself: every event has another.
    """
    rule = _way(place, own_id=own_id)
    if place.node.nullable and place.node.kind != "null" and not own_id:
        rule = {"nulls": _NULLS} | rule
    return Rule.model_validate(rule)


def _way(place: Place, *, own_id: bool) -> dict[str, Any]:  # noqa: C901, PLR0911 - one return for each type
    node, name = place.node, words(place.name)
    if node.logical and node.logical != "decimal":
        return _BORN if re.search(_BIRTH, name) else _AGO if re.search(_PAST, name) else {"timestamp": {}}
    match node.kind:
        case "string":
            return _text(name, uuid=node.uuid, own_id=own_id)
        case "int" | "long":
            return _whole(name, is_long=node.kind == "long", own_id=own_id)
        case "float" | "double":
            return _named(name, _NUMBER) or {"distribution": {"kind": "uniform", "low": 0, "high": 1000, "round": 3}}
        case "boolean":
            return {"choice": [True, False]}
        case "enum":
            return {"choice": {symbol: round(1 / rank, 3) for rank, symbol in enumerate(node.symbols, 1)}}
        case "array":
            return {"length": [0, 3]}
        case "map":
            return {"length": [0, 3]}
        case "union":
            return {"branches": dict.fromkeys(member_names(node), 1.0)}
        case "recursion":
            return {"choice": texts_of(node)}
    if node.logical == "decimal":
        most = 10 ** (node.precision - node.scale) - 1
        return {"distribution": _PRICE | {"min": 0, "max": min(5000, most), "round": node.scale}}
    if node.kind in ("bytes", "fixed"):
        return {"bytes": node.size if node.kind == "fixed" else [4, 16]}
    return {"nulls": 1.0} if node.kind == "null" else {"nulls": 0.0}  # a record's fields have rules of their own


def _text(name: str, *, uuid: bool, own_id: bool) -> dict[str, Any]:
    if uuid:
        return {"uuid": True}
    if own_id:
        return {"sequence": {"prefix": f"{name.removesuffix('_id')}-", "width": 9}}
    if found := _named(name, _TEXT):
        return found
    if re.search(_ID, name):  # an identifier of something else: some are met often
        return {"faker": {"provider": "bothify", "arguments": {"text": "????-########"}, "pool": 10_000, "skew": 0.8}}
    return {"faker": "word"}


def _whole(name: str, *, is_long: bool, own_id: bool) -> dict[str, Any]:
    if own_id:
        return {"sequence": {}}
    if is_long and re.search(_TIME, name):
        return {"timestamp": {}}
    if found := _named(name, _NUMBER):
        return {"distribution": found["distribution"] | {"round": 0}}
    if re.search(_ID, name):
        return {"distribution": {"kind": "lognormal", "median": 5000, "sigma": 1, "min": 1, "max": 1e6, "round": 0}}
    return {"distribution": {"kind": "uniform", "low": 0, "high": 1000, "round": 0}}


def _named(name: str, table: tuple[tuple[str, dict[str, Any]], ...]) -> dict[str, Any] | None:
    return next((rule for pattern, rule in table if re.search(pattern, name)), None)


def words(name: str) -> str:
    """Return a name in lower case with underscores between its words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-|\s", "_", name).lower()


def is_own_id(place: Place, record: str) -> bool:
    """Tell whether a field identifies the event itself: ``id``, ``order_id`` of ``Order``, or ``event_id``."""
    name = words(place.name)
    return (
        not place.scope and place.path == place.name and name in {"id", f"{words(record)}_id", "event_id", "message_id"}
    )
