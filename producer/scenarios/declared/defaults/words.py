"""The words of a name, however they are run together: ``registerTime``, ``register_time`` and ``registertime`` alike."""

from __future__ import annotations

import re
from functools import cache

from producer.scenarios.declared.defaults.tables import pairs_of, words_of


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return one of the patterns of this folder. They are more than ``re`` itself keeps: it would read all of them anew
    for each field.
    """
    return re.compile(pattern)


def search(pattern: str, text: str) -> re.Match[str] | None:
    """Return where a pattern of this folder is found in a text."""
    return compiled(pattern).search(text)


_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")
# What the change of case would tear apart.
_WHOLE = (
    ("IPv", "Ipv"),
    ("IDs", "Ids"),
    ("SpO2", "Spo2"),
    ("spO2", "spo2"),
    ("kWh", "Kwh"),
    ("mmHg", "Mmhg"),
    ("OAuth", "Oauth"),
    ("GPS", "Gps"),
    ("eMail", "email"),
    ("PM2_5", "pm25"),
    ("pm2_5", "pm25"),
)
# Words that a number ends.
_NUMBERED = re.compile(
    r"(last|icao|ipv|utf|base|sha|md|icd|spo|co|pm|load|iso|alpha|p|h|o|no|so|m|r|x|y|z|e|v|s|t|c|b|a|d|f|g|q|l|k|n)\d+"
)
# Short forms that everybody writes, and what they stand for.
_SHORT = dict(pairs_of("short_forms.txt"))
# Short forms that mean this at the end of a name alone.
_LAST = {
    "no": "number",
    "nr": "number",
    "cur": "currency",
    "cat": "category",
    "nbr": "number",
    "pt": "point",
    "st": "status",
}
# Words that names run together are made of, and those that look so and are not.
_KNOWN = words_of("words.txt")
_ONE_WORD = words_of("whole_words.txt")
# The last words that show where an unknown word before them ends.
_ENDINGS = (
    "id",
    "time",
    "date",
    "name",
    "code",
    "status",
    "number",
    "address",
    "url",
    "price",
    "type",
    "count",
    "size",
)
_SPLIT = {
    "zipcode": ("zip", "code"),
    "postcode": ("postcode",),
    "postalcode": ("postcode",),
    "hostname": ("host", "name"),
    "username": ("user", "name"),
    "filename": ("file", "name"),
    "useragent": ("user", "agent"),
    "timezone": ("timezone",),
    "timestamp": ("timestamp",),
    "firstname": ("first", "name"),
    "lastname": ("last", "name"),
    "phonenumber": ("phone", "number"),
    "cardnumber": ("card", "number"),
    "birthdate": ("birth", "date"),
    "birthday": ("birth", "date"),
    "ipaddress": ("ip", "address"),
    "ipaddr": ("ip", "address"),
    "macaddress": ("mac", "address"),
    "checkin": ("check", "in"),
    "checkout": ("check", "out"),
    "weekday": ("day", "of", "week"),
    "dayofweek": ("day", "of", "week"),
    "ismobile": ("is", "mobile"),
    "isactive": ("is", "active"),
    "pageview": ("page", "view"),
    "pageviews": ("page", "views"),
    "datatype": ("data", "type"),
    "heartrate": ("heart", "rate"),
    "bedtime": ("bedtime",),
}


@cache
def words(name: str) -> tuple[str, ...]:
    """Return the words of a name, in lower case, with usual short forms spelled out."""
    for torn, one in _WHOLE:
        name = name.replace(torn, one)
    found = [word for part in _PARTS.findall(name) for word in _apart(part.lower())]
    long = [word for part in found for word in _SHORT.get(part, part).split()]
    if long and long[-1] in _LAST and (len(long) > 1 or long[-1] == "cur"):
        long[-1] = _LAST[long[-1]]
    return tuple(part for word in long for part in _SPLIT.get(word, (word,))) or (name.lower(),)


def phrase(name: str) -> str:
    """Return the words of a name with blanks between them; ``height_in_cm`` is as ``height_cm``."""
    return _IN_UNITS.sub(" ", " ".join(words(name)))


_IN_UNITS = re.compile(
    r" in (?=(ns|us|ms|s|seconds|minutes|hours|days|months|years|mm|cm|m|km|g|kg|c|f|k|percent|bytes|kb|mb|gb|cents|eur|usd|gbp)$)"
)


def singular(word: str) -> str:
    """Return the singular of an English noun, as far as its ending shows it."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is", "news")) else word


def _apart(word: str) -> list[str]:
    """Split what is written without a gap, where known words show how."""
    if match := compiled(r"([a-z]+)(\d+)([a-z]{3,})").fullmatch(word):
        return [match[1] + match[2], *_apart(match[3])]
    bare = word.rstrip("0123456789")
    if bare != word and len(bare) > 2 and not _NUMBERED.fullmatch(word):
        return _apart(bare)
    if match := compiled(r"([a-z]{3,}ed)(at|on|by)").fullmatch(word):
        return [*_apart(match[1]), match[2]]
    if word in _ONE_WORD or word in _KNOWN or word in _SHORT or word in _SPLIT or len(word) < 4:
        return [word]
    if len(word) == 4:
        return [word[:2], "id"] if word.endswith("id") else ["url"] if word.endswith("url") else [word]
    if known := _of_known(word):
        return known
    for ending in sorted(_ENDINGS + tuple(_SPLIT), key=len, reverse=True):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("valid"):
            return [*_apart(word.removesuffix(ending)), ending]
    return [word]


@cache
def _of_known(word: str) -> list[str] | None:
    """Return the fewest known words that a word consists of."""
    best: list[list[str] | None] = [[]] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for begin in range(end):
            before, part = best[begin], word[begin:end]
            if before is None or not (
                part in _KNOWN or part in _ONE_WORD or part in _SHORT or (part in ("id", "cur") and begin)
            ):
                continue
            if best[end] is None or len(before) + 1 < len(best[end] or ()):
                best[end] = [*before, part]
    return best[-1]
