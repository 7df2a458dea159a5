"""Identifiers: which field is the record's own, unlike in every event, and what refers to something that is met often."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.ranges import KINDS
from producer.scenarios.declared.defaults.words import compiled, search, singular

_ENDING = r"(.*?)\s?\b(id|ids|uid|uuid|guid|identifier|key|number|ref|reference|code|sk|pk|oid)$"
_TEXT_ENDING = r"\b(ids?|uid|identifier|key|reference|ref|number|sk|pk|oid|code)$"
# What a record is called beside the thing that it is about.
_ABOUT_WORDS = """
    event events record records row rows data message msg value key envelope info information detail details changed change
    summary description profile result results schema dto model entity object item log v payload request response
    command notification snapshot state update report document history stream topic fact dim raw
    created deleted placed submitted completed cancelled canceled received sent shipped started finished failed captured listed
    registered opened closed issued booked paid posted published delivered added signed requested approved rejected
    confirmed inserted ordered purchased raised reported filed granted processed returned refunded
    """
_ABOUT = frozenset(_ABOUT_WORDS.split())
_MASTER_DATA = r"\b(description|profile|master|dim|dimension|catalog|directory|registry|metadata)\b"
# What happens again to something that lasts: an event of a device is not the device.
_HAPPENS = frozenset(["event", "log", "state", "update", "change", "snapshot", "history", "stream", "status"])
_LASTING = (
    r"\b(device|sensor|machine|vehicle|meter|station|turbine|robot|asset|host|node|cluster|user|customer|client|player|member|"
    r"visitor|subscriber|employee|driver|patient|student|account|campaign|store|shop|product|session|room|gateway|charger)$"
)
# Identifiers that belong to an event, whatever its record is called.
_ONCE = r"^(event|message|impression|auction|bid request|end to end|tracking|receipt|idempotency|dedup|deduplication|delivery attempt|span|unique|record|notification|click|view|hit) (id|uuid|guid|number|key)$"
# Things that fields are called after without saying that they hold an identifier of it.
ENTITIES = (
    r"^((source|target|from|to|debit|credit|sender|receiver|origin|destination|parent|home|current|serving|base) )?"
    r"(account|(work|purchase|sales|production|transfer|manufacturing|service|change|delivery|maintenance) order|(serving|originating|terminating|target|source) cell|lot|station|sensor|terminal|meter|asset|machine|tenant|visit|detector|beacon|"
    r"customer|visitor|session|antenna|turbine|inverter|pump|robot|rack|bay|shard|mrn|eui|(\w+ )?serial( number)?|warehouse|depot|"
    r"(\w+ )?eui|icao ?24|dev address|(id|rfid|nfc|badge|key|asset|equipment|animal|ear|inventory|bag|luggage) ?(tag|card|fob|badge)|(\w+ )+(terminal|sensor|meter|turbine|inverter|robot|pump|depot|warehouse|locker|kiosk|antenna|substation|ledger|beacon)|cost cent(er|re)|profit cent(er|re)|ledger|portfolio|tracking number|locker|kiosk|pos terminal|gateway|circuit|feeder|substation)$"
)
# What has a number that is no identifier of a record about it.
_NUMBERED = (
    r"\b(flight|card|phone|house|week|line|room|seat|route|channel|page|version|train|model|bus|port|track|floor|call)$"
)
# Records that are transactions under another name.
_TRANSACTIONS = r"purchase|sale|payment|transfer|withdrawal|deposit|authorization|refund|payout"
_SIZE = 1000


def own_ids(top: Mapping[str, Field]) -> frozenset[str]:
    """Return which fields at the top identify the event itself: no value of them comes twice.

    They are ``id``, ``event_id`` and the like, and ``<thing>_id`` where the record is about that thing.

    :param top: the fields of the event itself, by name.
    """
    if not top:
        return frozenset()
    record = [singular(word) for word in next(iter(top.values())).record.split()]
    around = next(iter(top.values())).around
    named = {
        name: match
        for name, field in top.items()
        if (match := compiled(_ENDING).fullmatch(field.says)) and _holds_id(field)
    }
    found = {name for name, field in top.items() if _holds_id(field) and compiled(_ONCE).fullmatch(field.says)}
    if search(r"\bsyslog\b", around):
        found -= {name for name in found if top[name].says.startswith("message")}
    if not search(r"\btotal order\b", around):  # there it is an identifier of all events of one transaction
        found |= {
            name
            for name, field in top.items()
            if field.says in ("id", "guid", "uuid", "uid", "oid") and _holds_id(field)
        }
    if search(r"\b(access|gateway|http|api|request|proxy|web) log\b", " ".join(record)):
        found |= {name for name, field in top.items() if field.says == "request id" and _holds_id(field)}
    if own := _of_the_thing(record, named):
        return frozenset(found | own)
    if not found and search(_MASTER_DATA, " ".join(record)) and named:
        return frozenset({next(iter(named))})
    if not found and " ".join(record) == "alert" and "candidate id" in around:
        return frozenset(name for name, field in top.items() if field.says == "candidate id")
    return frozenset(found)


def _of_the_thing(record: list[str], named: Mapping[str, re.Match[str]]) -> set[str]:
    """Return which identifiers are of what the record is about, by the first words of its name that tell it."""
    about = record
    while about:
        own = {name for name, match in named.items() if _is_about(about, match[1].split(), match[2])}
        if _HAPPENS & set(record[len(about) :]):
            own = {name for name in own if not search(_LASTING, named[name][1])}
        if own or (about[-1] not in _ABOUT and not about[-1].isdigit()):
            return own
        about = about[:-1]
    return set()


def _holds_id(field: Field) -> bool:
    return field.node.kind in ("string", "int", "long") and not field.node.logical


def _is_about(record: list[str], thing: list[str], ending: str) -> bool:
    """Tell whether the record's last words are the thing; a code or a number of it is seldom its own."""
    if not thing or ending in ("code", "ref", "reference"):
        return False
    thing = [singular(word) for word in thing]
    if thing[0] in ("parent", "previous", "root", "related", "original", "source", "external", "last"):
        return thing == record
    if len(thing) == 1 and len(thing[0]) >= 4 and record[-1].startswith(thing[0]) and ending != "number":
        return True
    if thing == ["transaction"] and compiled(_TRANSACTIONS).fullmatch(record[-1]):
        return True
    if len(thing) > 1 and thing[-1] in ("task", "event", "record", "entry"):
        thing = thing[:-1]
    same = record[-len(thing) :] == thing or (len(thing) > 1 and thing[-len(record) :] == record)
    return same and (ending != "number" or not search(_NUMBERED, thing[-1]))


def is_reference(field: Field) -> bool:
    """Tell whether a field refers to something, by its name."""
    if field.is_named(ENTITIES) or (
        field.node.kind == "string" and field.is_named(r"\b(uuid|guid|ifa|idfa|gaid|aaid)$")
    ):
        return True
    if field.node.kind == "string":
        return field.is_named(_TEXT_ENDING) and not field.is_named(r"^(key|code|number|reference)$")
    return (
        field.is_named(r"\b(ids?|uid|key|sk|pk|oid|fk)$") and not field.is_named(r"\b(direction|vlan) id$")
    ) or field.is_named(
        r"\b(visit|account|store|customer|device|station|product|order) number$|\b(mmsi|imo)( number)?$"
    )


def own(field: Field) -> dict[str, Any]:
    """Return the rule of the event's own identifier."""
    if field.node.kind != "string":
        return {"sequence": {}}
    if field.is_named(r"\b(span|trace) id$"):
        return {"pattern": f"[1-9a-f][0-9a-f]{{{15 if field.is_named('span') else 31}}}"}
    if field.node.uuid or field.is_named(r"\b(uuid|guid)$") or (field.says == "event id"):
        return {"uuid": True}
    return {"sequence": {"prefix": f"{thing(field) or 'event'}-", "width": 9}}


def thing(field: Field) -> str:
    """Return what an identifier is of, as a part of a text: the words before its last one, or the record's."""
    match = compiled(_ENDING).fullmatch(field.says)
    named = (match[1] if match else field.says) or field.about or "id"
    return re.sub(r"[^a-z0-9]+", "-", named).strip("-")[:24]


def references(field: Field) -> tuple[str, dict[str, Any]]:
    """Return the name and the rows of the pool of what a field refers to: some of them are met often."""
    what = thing(field)
    if field.node.uuid or field.is_named(r"\b(uuid|guid|ifa|idfa|gaid|advertising id)$"):
        return f"(uuids of {what})", _rows({"uuid": True})
    if field.is_named(r"\b(trace) id$"):
        return f"(ids of {what} in hex)", _rows({"pattern": "[1-9a-f][0-9a-f]{31}"})
    if field.is_named(r"\bicao ?24$"):
        return f"(addresses of {what})", _rows({"pattern": "[3-9][0-9a-f]{5}"})
    if field.is_named(r"\bdev(ice)? address$"):
        return f"(addresses of {what})", _rows({"pattern": "[1-9a-f][0-9a-f]{7}"})
    if field.node.kind == "string" and field.is_named(r"\bcode$"):
        return f"(codes of {what})", {"size": 40, "skew": 0.8, "columns": {"id": {"pattern": "[A-Z]{2}[0-9]{2}"}}}
    if field.is_named(r"\b(span|parent span) id$|\beui$"):
        return f"(ids of {what} in hex)", _rows({"pattern": "[1-9a-f][0-9a-f]{15}"})
    if field.node.kind == "string":
        return f"(ids of {what})", _rows({"sequence": {"prefix": f"{what}-", "width": 6}})
    if field.is_named(r"\b(mmsi|imo)( number)?$"):  # of a ship's radio, of its hull
        return f"(numbers of {what})", _rows({"distribution": KINDS["mmsi" if field.is_named(r"\bmmsi\b") else "imo"]})
    return f"(numbers of {what})", _rows({"sequence": {}})


def _rows(rule: dict[str, Any]) -> dict[str, Any]:
    return {"size": _SIZE, "skew": 0.8, "columns": {"id": rule}}
