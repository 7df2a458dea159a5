"""What a text holds, by its name and what is around it. The first reading of ``texts.txt`` that fits counts."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from producer.scenarios.declared.defaults.codes import FORMS, MET_OFTEN, checked
from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.lists import choice_of
from producer.scenarios.declared.defaults.places import of_place, whose
from producer.scenarios.declared.defaults.readings import AROUND, readings_of
from producer.scenarios.declared.defaults.words import search

_READINGS = readings_of("texts.txt")
# Who does something is a person, unless it is one of these.
_DOER = re.compile(
    r"\b(?!(?:[a-z]+(?:tainer|inter|outer|nsor|itor|puter|meter|older|eader|ayer|luster|umber|order|acter|apter|etter|eater|enter|aper|ilter|ogger|uler|ector|ator|actor|olor|loor|door|rror|otor|ower|ater|iver|rver|fer|ver|ker)|user|folder|tier)\b)[a-z]{3,}(?:er|or|ist|ian|ee) name$"
)
# What is called something, whatever it is.
_NAMES = ("Alpha", "Bravo", "Delta", "Echo", "Lima", "Nova", "Omega", "Sierra", "Tango", "Vega")
_NOTES = (
    (r"iso[ -]?4217", "list:currency"),
    (r"iso[ -]?3166.*alpha[ -]?3", "place:alpha3"),
    (r"iso[ -]?3166", "place:alpha2"),
    (r"\b(e-?mail address)\b", "faker:email"),
    (r"\bipv6\b", "form:ipv6"),
    (r"\bip(v4)? address", "form:ipv4"),
    (r"\bmac address", "form:mac"),
    (r"\bsha-?256\b", "form:hex64"),
    (r"\bmd5\b", "form:md5"),
    (r"\b(bcp[ -]?47|ietf language tag)\b", "list:locale"),
    (r"\biso[ -]?639", "list:language"),
    (r"\b(iana|olson|tz database) (time ?zone|name)", "list:timezone"),
    (r"\b(mime|media) type", "list:mime"),
    (r"\bsemver|semantic version", "form:version"),
    (r"\bjson\b", "form:json"),
)


def text_rule(field: Field) -> dict[str, Any] | None:
    """Return the rule of a text whose name or notes tell what it holds; ``None`` for any other."""
    if field.is_named(r"^(.* )?name$") and (named := _of_name(field)):
        return rule_of(named, field)
    if found := next((one for one in _READINGS if one.fits(field)), None):
        return rule_of(found.values, field)
    if _DOER.search(field.says):
        return rule_of("faker:name", field)
    if field.is_named(r"^number of \w+$"):
        return {"distribution": {"kind": "poisson", "mean": 3, "min": 1, "max": 40}}
    told = next((values for pattern, values in _NOTES if search(pattern, field.notes)), None)
    if told is None and search(r"\b[b-df-hj-np-tv-xz]{3,5}$", field.says):
        return rule_of("form:short_code", field)  # letters without a vowel are a short form of some code
    if told is None and (other := field.plainer() or field.of_one()) is not None:
        return text_rule(other)
    if told is None and field.is_named(r"^\w.* name$"):
        noun = field.says.removesuffix(" name").capitalize()
        return {"choice": {f"{noun} {word}": round(1 / rank, 3) for rank, word in enumerate(_NAMES, 1)}}
    return rule_of(told, field) if told else None


def rule_of(values: str, field: Field) -> dict[str, Any]:
    """Return the rule of what a line of the table calls its values."""
    kind, _, name = values.partition(":")
    if kind == "form" and name in MET_OFTEN:
        return {"pool": f"({name.replace('_', ' ')} of {field.says}).value"}
    if kind == "form":
        return {"pattern": FORMS[name]}
    if kind == "list":
        return choice_of(name)
    if kind == "checked":
        return {"choice": _checked()[name]}
    if kind == "faker":
        return {"faker": name}
    if name == "state":
        pool, column = of_place(field, "region")
        name = "region_code" if pool.endswith("US)") and not field.is_named(r"\bname$") else "region"
    pool, column = of_place(field, name)
    return {"pool": f"{_named(pool, whose(field))}.{column}"}


@cache
def _checked() -> dict[str, list[Any]]:
    return checked()


def _named(pool: str, owner: str) -> str:
    return f"{pool} {owner}".strip()


def _of_name(field: Field) -> str | None:
    """Return what a ``name`` is of: the words before it decide, then the record, then what is beside it."""
    before = field.says.removesuffix("name").strip()
    if before in (
        "first",
        "given",
        "fore",
        "last",
        "family",
        "sur",
        "middle",
        "maiden",
        "user",
        "login",
        "full",
        "display",
        "nick",
        "screen",
        "host",
        "file",
        "account",
        "code",
        "common",
    ):
        return None
    if search(r"\b(first|given|fore|last|family|sur|middle|maiden|user|login|screen|nick|host|file)$", before):
        return None
    about = before or field.record
    if before and not search(AROUND["person"], before):
        return None
    if search(r"\bagents?$", before) and not search(AROUND["software"], field.record):
        return "faker:name"
    if search(AROUND["software"], about) and not search(r"\b(customer|user|employee|driver|patient|person)s?$", about):
        if search(r"\brepos?|repository\b", about):
            return "list:repository"
        return "list:job" if search(r"\b(jobs?|tasks?|workflow|dag)\b", about) else "list:service"
    if search(AROUND["person"], about):
        return "faker:user_name" if search(r"\bplayers?\b", about) else "faker:name"
    kinds = (
        (AROUND["goods"], "list:product"),
        (r"\b(compan(y|ies)|vendors?|suppliers?|merchants?|organizations?|employers?|brands?|manufacturers?|business|partner|account|publisher|advertiser)\b", "faker:company"),
        (r"\b(city|cities|town)\b", "place:city"),
        (r"\b(countries|country)\b", "place:country"),
        (r"\b(region|state|province)s?\b", "place:region"),
        (r"\b(hotels?|propert(y|ies))\b", "list:hotel"),
        (r"\b(stores?|shops?|branch|sites?|stations?|venues?|restaurants?|locations?|places?|stops?|airports?|buildings?|warehouses?|facility|poi)\b", "list:place"),
        (r"\b(department)s?\b", "list:department"),
        (r"\b(metric|metrics|measurement|counter|gauge)\b", "list:metric"),
        (r"\b(artists?|bands?)\b", "list:artist"),
        (r"\b(tracks?|songs?|movies?|films?|shows?|series|albums?|episodes?|playback)\b", "list:track"),
        (r"\b(games?|maps?)\b", "list:map"),
        (r"\b(teams?|clubs?)\b", "list:team"),
        (r"\b(courses?|lessons?|class)\b", "list:course"),
        (r"\b(campaigns?|promotions?)\b", "list:campaign"),
        (r"\b(drugs?|medications?)\b", "list:drug"),
        (r"\b(schools?|universit(y|ies))\b", "list:school"),
        (r"\b(banks?)\b", "list:bank"),
        (r"\b(tables?)\b", "list:table"),
        (r"\b(columns?|fields?|attributes?)\b", "list:column"),
        (r"\b(topics?)\b", "list:topic"),
        (r"\b(events?)\b", "list:event type"),
        (r"\b(devices?|sensors?|machines?|vehicles?|models?)\b", "list:device model"),
        (r"\b(groups?|tags?|labels?|categor(y|ies))\b", "list:label"),
    )  # fmt: skip
    if found := next((values for pattern, values in kinds if search(pattern, about)), None):
        return found
    if not before:
        return (
            "faker:name"
            if field.is_near(AROUND["personal"]) or search(r"^(names?|data|records?|root)$", about)
            else "list:label"
        )
    return None
