"""What a number is: by its unit, by its name, by what is around it. The first reading of ``numbers.txt`` that fits counts."""

from __future__ import annotations

from typing import Any

from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.ranges import CHOICES, KINDS
from producer.scenarios.declared.defaults.readings import AROUND, readings_of

_READINGS = readings_of("numbers.txt")


def number_rule(field: Field) -> dict[str, Any] | None:
    """Return the rule of a number whose name tells what it is; ``None`` for any other."""
    kind = kind_of(field)
    return None if kind is None else rule_of(kind, field)


def kind_of(field: Field) -> str | None:
    """Return what ``ranges.py`` calls the values of a number whose name tells what it is; ``None`` for any other."""
    plainer = field.plainer()
    if plainer is not None and field.is_named(r" (value|val|reading|measurement)$") and (kind := kind_of(plainer)):
        return kind
    found = next((one for one in _READINGS if one.fits(field)), None)
    if found is None:
        other = plainer or field.of_one()
        return None if other is None else kind_of(other)
    return _meant(found.values, field)


def rule_of(kind: str, field: Field) -> dict[str, Any]:
    """Return the rule of what a reading calls its values, in the field's type."""
    if kind in CHOICES:
        values = CHOICES[kind]
        return {"choice": {value: float(values.count(value)) for value in dict.fromkeys(values)}}
    return {"distribution": fitted(KINDS[kind], field)}


def anything(field: Field) -> dict[str, Any]:
    """Return the rule of a number that nothing is known of: whole ones count or name kinds, and are small."""
    whole = field.node.kind in ("int", "long")
    return {"distribution": fitted(KINDS["small" if whole else "anything"], field)}


def fitted(wanted: dict[str, Any], field: Field) -> dict[str, Any]:
    """Return a distribution cut to what the type holds, and rounded as it is."""
    node = field.node
    if node.logical == "decimal":
        return _fitted_decimal(wanted, node.precision, node.scale)
    if node.kind in ("int", "long"):
        low = wanted.get("min")
        return wanted | {"round": 0} | ({"min": 1} if low is not None and 0 < low < 1 else {})
    return wanted


def _fitted_decimal(wanted: dict[str, Any], precision: int, scale: int) -> dict[str, Any]:
    digits = min(wanted.get("round", 2) if wanted["kind"] != "poisson" else 0, scale, 12)
    most = float(10 ** (precision - scale)) - 10.0 ** -min(digits, scale)
    if precision == scale:  # fractions alone
        return {"kind": "uniform", "low": 0, "high": 1 - 10.0 ** -min(scale, 6), "round": min(scale, 6)}
    typical = wanted.get("median", wanted.get("mean", wanted.get("high", 0)))
    if typical > most:
        return {"kind": "uniform", "low": 0, "high": most, "round": digits}
    highest = min(most, wanted.get("max", wanted.get("high", most)))
    cut = {"high": highest} if wanted["kind"] == "uniform" else {"max": highest}
    lows = {key: max(-most, wanted[key]) for key in ("low", "min") if key in wanted}
    return wanted | lows | cut | {"round": digits}


def _meant(kind: str, field: Field) -> str:
    """Return what is meant where type or surroundings decide between two kinds."""
    whole = field.node.kind in ("int", "long")
    if kind == "battery":
        return "percent" if whole or field.is_named(r"\bpercent\b|\bfuel\b") else "share"
    if kind == "score":
        return "score of 100" if whole else "share"
    if (kind == "share" and whole) or kind == "share or percent":
        return "percent" if whole else "share"
    if kind == "count":
        return (
            "many"
            if field.node.kind == "long"
            and field.is_named(
                r"\b(view|like|follower|impression|byte|row|record|request|transaction|visitor|user|event|message)s?\b"
            )
            else "few"
        )
    if kind == "tax rate":
        return "percent of tax" if whole or field.is_named(r"\bpercent\b") else "share of tax"
    if kind == "temperature c" and field.is_named(AROUND["machines"]):
        return "engine temperature"
    return kind
