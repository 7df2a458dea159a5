"""Numbers of one record that add up: parts and their total, quantity and price, how many items there are.

Each function yields ways of fields that the file says nothing about. What follows from them is computed, so it holds in
every event, also where the file says how the parts arise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from producer.scenarios.declared.defaults import numbers
from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.words import compiled, search, singular

Way = dict[str, Any]
Ways = Iterator[tuple[str, Way]]

_AMOUNT = r"( (amount|total|price|cost|value|fee|charge|charges|due|paid))?"
_QUANTITY = (
    r"^((order|ordered|filled|billed|invoiced|shipped|line|item|trade|traded|executed|last|picked|sold|purchased) )?"
    r"(quantity|units?|pieces|shares)( (ordered|sold|shipped|filled|purchased))?$|^(hours( worked)?|number of (units|items|shares))$"
)
_UNIT_PRICE = (
    r"^((unit|item|list|net unit|gross unit|selling|sale|sales|execution|executed|exec|trade|fill|last|average) )?(price|rate|cost)$"
    r"|^unit (value|amount)$|^(price|cost) (each|per \w+)$|^hourly (rate|wage|pay)$|^price$"
)
# The products of both, the most particular first.
_PRODUCTS = (
    r"^(line|item|row|position) (total|amount|net|value|price|cost|sum)$", r"^(extended|ext) (price|amount|cost|value)$",
    r"^line (net|gross) amount$", r"^sub ?total( (amount|price))?$", r"^(notional|trade|consideration|market|gross) (value|amount)$",
    r"^(notional|consideration|turnover|subtotal|gross pay|pay|wages|earnings)$", r"^total (price|amount|cost|value|pay)$",
    r"^(net|gross) amount$", r"^(amount|total|value|revenue|sales)$",
)  # fmt: skip
_BASES = (
    r"^sub ?total( (amount|price))?$", r"^(net|taxable|base|goods|merchandise|items?|products?) (amount|total|price|value|fare|cost|premium|subtotal|sum|rate)$",
    r"^(amount|total|price) (net|excluding tax|excl( tax)?|before tax|ex vat|without tax)$", r"^(net|base|principal|fare)( amount)?$",
    r"^room (total|charges?|rate|revenue)$", r"^(price|cost|charge|rent|premium)$",
)  # fmt: skip
_ADDED = (
    r"\b(tax|taxes|vat|gst|hst|duty|duties|shipping|delivery|freight|handling|tip|tips|gratuity|fee|fees|surcharge|tolls?|"
    r"service charge|insurance|levy|extras?|interest|postage)( (amount|total|cost|charge|charges|price|fee|fees|due|paid))?$"
)
_TAKEN = r"\b(discounts?|rebate|coupon|voucher|promotion|promo|markdown)( (amount|total|value))?$"
_TOTALS = (
    r"^grand total( (amount|price))?$", r"^(order|invoice|cart|basket|bill|booking|receipt|final|overall) (total|amount)( (amount|price))?$",
    r"^total( (amount|price|due|payable|charge|charges|fare|cost|value|payment|gross|paid|invoice amount))?$", r"^(amount|total) (due|payable|gross|paid)$",
    r"^gross( (amount|total|price|value))?$", r"^(amount|total|price) (including tax|incl( tax)?|with tax|gross)$", r"^(payment|charged|paid) amount$", r"^amount$",
)  # fmt: skip
_NEVER = r"\b(rate|percent|id|code|number|count|type|status|currency|exempt|included|free|estimated|average|max|min)\b"
_MINOR = r"\b(cents|pence|minor|micros|us)\b"
# Shares of what they belong to.
_SHARE_OF_BASE = {
    r"\b(tax|taxes|vat|gst|hst|duty|duties)\b": (0.05, 0.21),
    r"\b(tip|tips|gratuity)\b": (0.0, 0.25),
    r"\b(discounts?|rebate|coupon|voucher|promotion|promo|markdown)\b": (0.0, 0.3),
    r"": (0.01, 0.15),
}
_PARTS = r"\b(passed|failed|skipped|succeeded|success|successful|failure|failures|accepted|rejected|good|scrap|scrapped|bad|won|lost|drawn|valid|invalid|hit|hits|miss|misses)\b"
_COUNTING = r"\b(count|number|total|of|all)\b|\s"
# What makes a whole together, the rest last.
_WHOLES = (
    "user|system|nice|iowait|io wait|irq|steal|idle", "positive|negative|neutral", "sand|silt|clay", "win|draw|loss|home win|away win",
    "male|female|other", "equity|bonds|stocks|cash",
)  # fmt: skip
_OF_COUNT = r"^(number|count|num|total) (of )?|^total (?=\w+ count$)| (count|number|total|size|length)$"
_LINES = r"\b(lines?|items?|products?|entries|positions?|charges?|details?|articles?|goods|cart|basket)\b"


def computed(fields: Mapping[str, Field], free: frozenset[str]) -> Ways:
    """Yield the ways of numbers of one record that follow from others of it.

    :param fields: all fields of the record, by path.
    :param free: the numbers among them that are drawn by chance, and that nobody says anything about.
    """
    plain = {path: field for path, field in fields.items() if _is_amount(field)}
    yield from _counts(fields, free)
    found = dict(_products(plain, free))
    found |= {path: way for path, way in _totals(plain, free, found) if path not in found}
    found |= dict(_moved(plain, free - found.keys()))
    found |= dict(_used(plain, free - found.keys()))
    found |= dict(_outcomes(plain, free - found.keys()))
    found |= dict(_shares(plain, free - found.keys()))
    yield from found.items()


def sums_of_items(
    fields: Mapping[str, Field],
    items: Mapping[str, Mapping[str, Field]],
    ways: Mapping[str, Mapping[str, Any]],
    free: frozenset[str],
) -> Ways:
    """Yield the way of the number of a record that is the sum of what its lines come to.

    :param items: the fields of the records that its lists hold, by the list's path.
    """
    for path, inner in items.items():
        if not search(_LINES, fields[path].says):
            continue
        lines = [one for one in inner if "product" in ways[one].get("computed", {})]
        if len(lines) != 1:
            continue
        plain = {one: field for one, field in fields.items() if _is_amount(field) and _alike(field, inner[lines[0]])}
        goal = _first(_BASES[:1], plain, free) or _first(_BASES[1:2], plain, free) or _first(_TOTALS, plain, free)
        if goal is not None:
            yield goal, {"computed": {"sum": lines, "round": _digits(plain[goal])}}
            yield path, {"length": [1, 4]}
        return


def _is_amount(field: Field) -> bool:
    node = field.node
    return node.logical == "decimal" or (node.kind in ("int", "long", "float", "double") and not node.logical)


def _counts(fields: Mapping[str, Field], free: frozenset[str]) -> Ways:
    lists = {path: field for path, field in fields.items() if field.node.kind in ("array", "map")}
    for path, field in fields.items():
        if path not in free or field.node.kind not in ("int", "long"):
            continue
        of = compiled(_OF_COUNT).sub("", field.says)
        bare = compiled(r"(total )?(count|size|length|total count)").fullmatch(field.says) is not None
        counted = [one for one, held in lists.items() if of != field.says and _one_of(held.says) == _one_of(of)]
        if not counted and bare and len(lists) == 1:
            counted = list(lists)
        if len(counted) == 1:
            yield path, {"computed": {"count": counted[0]}}


def _one_of(says: str) -> str:
    return " ".join(singular(word) for word in compiled(r" (list|array|set|ids?|names?)$").sub("", says).split())


def _products(fields: Mapping[str, Field], free: frozenset[str]) -> Ways:
    quantities = _all(_QUANTITY, fields)
    prices = [path for path in _all(_UNIT_PRICE, fields) if path not in quantities]
    if len(prices) > 1:
        prices = [path for path in prices if fields[path].is_named(r"\b(unit|each|per|hourly|execution|exec)\b")]
    if len(quantities) != 1 or len(prices) != 1:
        return
    others = {path: field for path, field in fields.items() if path not in (*quantities, *prices)}
    goal = _first(_PRODUCTS, others, free)
    if goal is not None and _alike(fields[goal], fields[prices[0]]):
        yield goal, {"computed": {"product": [quantities[0], prices[0]], "round": _digits(fields[goal])}}


def _totals(fields: Mapping[str, Field], free: frozenset[str], made: Mapping[str, Way]) -> Ways:
    """Yield the ways of a total and of its parts: of tax, fees and discounts as shares of what they are added to."""
    money = {path: field for path, field in fields.items() if not field.is_named(_NEVER)}
    found = {pattern: _all(pattern, money) for pattern in (*_BASES, *_TOTALS)}
    base = next((path for pattern in _BASES for path in found[pattern]), None)
    parts = [path for path in _all(f"{_ADDED}|{_TAKEN}", money) if path != base]
    totals = [path for pattern in _TOTALS for path in found[pattern] if path not in (base, *parts)]
    whole = base or next(iter(totals), None)  # without anything that it is added to, a tax is a part of what is paid
    if whole is None or not parts or not all(_alike(fields[whole], fields[path]) for path in parts):
        return
    for path in parts:
        if path in free:
            yield path, _part(path, whole, fields)
    total = next(iter(totals), None)
    if base is not None and total is not None and total in free - made.keys() and _alike(fields[total], fields[base]):
        signed = [f"-{path}" if fields[path].is_named(_TAKEN) else path for path in parts]
        yield total, {"computed": {"sum": [base, *signed], "round": _digits(fields[total])}}


def _part(path: str, whole: str, fields: Mapping[str, Field]) -> Way:
    """Return the way of an amount that is a share of another: of a tax as the rate beside it says, if there is one."""
    if tax := search(r"\b(tax|taxes|vat|gst)\b", fields[path].says):
        rates = _all(rf"^({tax[0]}|tax|vat|gst|sales tax) (rate|percent)( percent)?$", fields)
        if len(rates) == 1:
            percent = {"times": 0.01} if _is_percent(fields[rates[0]]) else {}
            return {"computed": {"product": [whole, rates[0]], "round": _digits(fields[path])} | percent}
    low, high = next(bounds for pattern, bounds in _SHARE_OF_BASE.items() if search(pattern, fields[path].says))
    shares = {"kind": "uniform", "low": low, "high": high}
    return {"reference": {"field": whole, "times": shares, "round": _digits(fields[path])}}


def _is_percent(field: Field) -> bool:
    kind = numbers.rule_of(numbers.kind_of(field) or "percent", field).get("distribution", {})
    return bool(kind.get("max", kind.get("high", 100)) > 1)


def _moved(fields: Mapping[str, Field], free: frozenset[str]) -> Ways:
    """Yield what a balance is afterwards: before, and what came or went."""
    before = _all(
        r"\b(balance|stock|points|quantity|inventory) before$|^(opening|previous|old|prior|starting|initial|before) (balance|stock|points|quantity)$",
        fields,
    )
    after = _all(
        r"\b(balance|stock|points|quantity|inventory) after$|^(closing|new|current|ending|resulting|after) (balance|stock|points|quantity)$",
        fields,
    )
    gone = _all(
        r"^(charged|debit|debited|withdrawal|withdrawn|spent|redeemed|deducted|sold|issued)( (amount|quantity|points))?$",
        fields,
    )
    come = _all(
        r"^(amount|change|delta|adjustment|credit|credited|deposit|deposited|top up|received|quantity change|(transaction|topup|deposit) amount)( amount)?$",
        fields,
    )
    moved = gone or come
    if (
        len(before) == len(after) == len(moved) == 1
        and after[0] in free
        and _alike(fields[after[0]], fields[before[0]])
    ):
        yield (
            after[0],
            {
                "computed": {
                    "sum": [before[0], f"-{moved[0]}" if gone else moved[0]],
                    "round": _digits(fields[after[0]]),
                }
            },
        )
        if gone and moved[0] in free:  # no more goes than there was
            shares = {"kind": "uniform", "low": 0.01, "high": 0.6}
            yield moved[0], {"reference": {"field": before[0], "times": shares, "round": _digits(fields[moved[0]])}}


def _used(fields: Mapping[str, Field], free: frozenset[str]) -> Ways:
    """Yield what is used of something, what is free, and the share in percent."""
    roles = (
        r"\b(used|occupied|allocated|consumed)\b(?! percent)", r"\b(free|available|remaining|unused)\b(?! percent)", r"\b(total|capacity|limit|size)\b",
        r"\b(used|usage|utili[sz]ation|occupancy)? ?percent\b( used)?",
    )  # fmt: skip
    groups: dict[str, dict[int, str]] = {}
    for path, field in fields.items():
        for place in (3, 0, 1, 2):
            other, times = compiled(roles[place]).subn("", field.says)
            if times == 1:
                bare = " ".join(compiled(r"\b(bytes|kb|mb|gb|mib|gib|space|amount)\b").sub("", other).split())
                groups.setdefault(bare, {}).setdefault(place, path)
                break
    for group in groups.values():
        used, rest, total, percent = (group.get(place) for place in range(4))
        if not total or not used or used not in free or not _same_unit(fields, used, total, rest):
            continue
        shares = {"kind": "uniform", "low": 0.05, "high": 0.95}
        yield used, {"reference": {"field": total, "times": shares, "round": _digits(fields[used])}}
        if rest and rest in free:
            yield rest, {"computed": {"sum": [total, f"-{used}"], "round": _digits(fields[rest])}}
        if percent and percent in free:
            yield percent, {"computed": {"ratio": [used, total], "times": 100, "round": 2}}


def _same_unit(fields: Mapping[str, Field], *paths: str | None) -> bool:
    units = {
        tuple(compiled(r"\b(bytes|kb|mb|gb|mib|gib)\b").findall(fields[path].says))
        for path in paths
        if path is not None
    }
    return len(units) == 1


def _outcomes(fields: Mapping[str, Field], free: frozenset[str]) -> Ways:
    """Yield totals of what passed and failed, was good and bad."""
    groups: dict[str, list[str]] = {}
    totals: dict[str, str] = {}
    for path, field in fields.items():
        if field.node.kind not in ("int", "long") or field.is_named(r"\b(rate|percent|id|code|ms|seconds)\b"):
            continue
        rest, times = compiled(_PARTS).subn("", field.says)
        bare = "".join(singular(word) for word in compiled(_COUNTING).sub(" ", rest).split())
        if times == 1:
            groups.setdefault(bare, []).append(path)
        elif field.is_named(r"\b(total|all)\b|\bcount$"):
            totals.setdefault(bare, path)
    for bare, parts in groups.items():
        total = totals.get(bare)
        if len(parts) > 1 and total and total in free:
            yield total, {"computed": {"sum": parts}}


def _shares(fields: Mapping[str, Field], free: frozenset[str]) -> Ways:
    """Yield shares that make a whole together: the last is what the others leave."""
    for words in _WHOLES:
        groups: dict[str, list[str]] = {}
        for path in (path for path in fields if path in free):
            rest, times = compiled(rf"\b({words})\b").subn("", fields[path].says)
            if times == 1 and numbers.kind_of(fields[path]) in ("percent", "share"):
                groups.setdefault(rest, []).append(path)
        for *others, last in (group for group in groups.values() if len(group) > 1):
            whole = 100 if _is_percent(fields[last]) else 1
            digits = 0 if fields[last].node.kind in ("int", "long") else 4 if whole == 1 else 2
            for path in others:
                most = {"kind": "uniform", "low": 0, "high": whole / len(others), "round": digits}
                yield path, {"distribution": numbers.fitted(most, fields[path])}
            yield last, {"computed": {"sum": [f"-{path}" for path in others], "plus": whole, "round": digits}}


def _all(pattern: str, fields: Mapping[str, Field]) -> list[str]:
    return [path for path, field in fields.items() if field.is_named(pattern)]


def _first(patterns: tuple[str, ...], fields: Mapping[str, Field], free: frozenset[str]) -> str | None:
    """Return the one field that the first of some patterns names; none where that is not for us to say."""
    for pattern in patterns:
        if found := _all(pattern, fields):
            return found[0] if len(found) == 1 and found[0] in free else None
    return None


def _alike(one: Field, other: Field) -> bool:
    """Tell whether two amounts count in the same unit of money."""
    return one.is_named(_MINOR) == other.is_named(_MINOR)


def _digits(field: Field) -> int:
    if field.node.logical == "decimal":
        return min(field.node.scale, 2)
    return 0 if field.node.kind in ("int", "long") else 2
