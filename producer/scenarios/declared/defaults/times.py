"""Points in time: which fields are one, in what unit, and on which side of the event's own time they lie."""

from __future__ import annotations

from typing import Any

from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.words import compiled, search

_DAY = 86_400
_YEAR = 31_557_600
# What follows by no more than this may as well follow the event.
SOON_S = _DAY

# Units as the last words of a name say them.
_UNITS = (
    (r"\bns$", "nanoseconds"),
    (r"\bus$", "microseconds"),
    (r"\bms$", "milliseconds"),
    (r"\b(s|seconds|unix|epoch)$", "seconds"),
    (r"\b(mjd|modified julian( date| day)?)\b", "modified_julian"),
    (r"\b(jd|julian( date| day)?)\b", "julian"),
)
_LABELS = r"( (utc|gmt|local|iso|iso8601|unix|epoch|tai|z))*( (ns|us|ms|s|seconds|unix|epoch|utc|tai))*$"
_DONE = (
    r"(created|updated|modified|changed|deleted|removed|accessed|registered|published|received|sent|seen|paid|placed|ordered|"
    r"shipped|delivered|returned|cancelled|canceled|completed|finished|started|ended|opened|closed|resolved|submitted|approved|"
    r"rejected|confirmed|activated|deactivated|captured|recorded|collected|observed|measured|processed|ingested|emitted|"
    r"occurred|happened|logged|failed|loaded|inserted|joined|enrolled|admitted|discharged|hired|issued|viewed|clicked|read|"
    r"scheduled|expired|edited|installed|booked|picked up|dropped off|signed up|signed|verified|played|watched|added|"
    r"released|built|founded|purchased|sold|requested|responded|granted|revoked|synced|archived|posted|triggered|executed|"
    r"last login|last logon|passed|applied|renewed|settled|authorized|reported|detected|acknowledged|assigned|launched)"
)
# Words before "time" that make a point of it; any other makes a span.
_POINT = (
    r"(event|start|starting|end|ending|begin|finish|stop|create|creation|update|modification|modified|last|first|unix|epoch|order|"
    r"register|registration|trade|transaction|rating|record|recording|log|arrival|departure|boarding|publish|publication|"
    r"receive|send|sent|purchase|payment|booking|pickup|dropoff|check in|check out|capture|observation|measurement|reading|"
    r"sample|sampling|local|utc|server|client|device|system|current|ingest|ingestion|processed|kernel|open|close|opening|"
    r"closing|expiry|expiration|effective|due|transact|fetch|report|request|release|launch|birth|death|submit|commit|alert|alarm|"
    r"occurrence|occurrance|click|message|logout|sunrise|sunset|kickoff|landing|takeoff|scheduled|actual|estimated|expected|planned|call|scan|visit|login|insert|entry|exit)"
)
_MOMENT = (
    rf"\b(timestamp|datetime|date time|time stamp|instant){_LABELS}"
    rf"|\b(at|since){_LABELS}"
    rf"|{_POINT} time{_LABELS}"
    rf"|^(the )?time{_LABELS}"
    r"|\b(epoch|unix) (ns|us|ms|s|seconds)$|^(unix|epoch)$"
    rf"|^time (last |first )?{_DONE}"
    r"|^time (notification|of event|of day)|^(timestamp|date|datetime) "
    rf"|\bdate{_LABELS}|\bdate of \w+$"
    rf"|\b(sunrise|sunset|moonrise|moonset|eta|etd|dob|deadline|birth date|expiry|expiration|expires)( (on|at|date))?{_LABELS}"
    r"|\b(jd|mjd)\b"
    r"|\b(valid|effective) (from|to|until|thru|through)$"
)
# A time that is no point: where one of these stands, a number is a span.
_NEVER = r"\b(zone|timezone|offset|format|count|number of|elapsed|remaining|spent|to live|out|limit|series|interval|version|id|key|hash)\b"
# Words before "time" that make a span of it, also in a long.
_SPAN = (
    r"\b(response|processing|process|elapsed|wait|waiting|delivery|rack|travel|travelling|transit|idle|cpu|up|down|run|load|loading|render|"
    r"rendering|total|average|max|min|maximum|minimum|mean|median|cook|cooking|prep|preparation|lead|cycle|dwell|build|execution|"
    r"handling|handle|service|round trip|queue|hold|talk|ring|play|playing|watch|screen|sleep|rem|deep|reaction|setup|turnaround|flight|"
    r"driving|drive|walking|seek|access|connect|connection|lookup|dns|ssl|blocked|user|sys|wall|gc|pause|recovery|repair|remaining|work|"
    r"working|break|busy|active|moving|stopped|hang|burn|exposure|integration|dead|rise|fall|settling|half|life|real|over) time$"
)
_BARE = rf"^(is |was )?(last |first )?{_DONE}( (on|by date|date|time))?$|\b(start|end|begin)$|\bon$"

# Where a span begins and ends, in a unit; in a video it does so from the beginning of that.
_SPAN_ENDS = r"\b(start|end|begin|stop|finish|started|ended|finished|begun|stopped) (ns|us|ms|s|seconds)$"
_MEDIA = r"\b(segments?|video|audio|subtitles?|captions?|clips?|tracks?|words?|transcript|media|frame|playback|chapter|scene|sample)\b"

# When something was done last, is estimated to be, and the short forms of aviation: scheduled, estimated, actual.
_DOINGS = (
    r"^(last|first) (\w{2,}ed|contact|activity|login|visit|purchase|heartbeat|sync|synchronization|run|update|change|order|call|message|"
    r"ping|poll|scan|reboot|restart|maintenance|service|inspection|calibration|backup|access|attempt)$"
    r"|^not (before|after)$|^estimated (delivery|arrival|departure|completion)$"
    rf"|\b([seac]t[ad]|[sea][oi]bt){_LABELS}"
)

_BIRTH = r"\b(birth|born|dob)\b"
_SOON = (
    r"\b(estimated|expected|due|deadline|expires?|expiry|expiration|eta|etd|planned|scheduled|next|renewal|promised|"
    r"forecast|valid (to|until|thru|through)|not after|best before|use by|maturity|follow up|target date|reminder)\b"
)
_PAST = (
    r"\b(create|created|creation|register|registered|registration|joined|join|since|opened|opening|enrolled|enrollment|enrolment|admitted|"
    r"admission|hired?|hiring|issued?|issue date|founded|signup|signed up|signed|installed?|activated|edited|first seen|"
    r"onboarded|subscribed|manufactured|built|purchased?|acquired|commissioned|inserted|valid from|"
    r"effective from|vaccinated|graduated|death|deceased|discharge)\b"
)
_LONG_AGO = r"\b(hired?|hiring|founded|since|joined|join|onboarded|enrolled|built|manufactured|commissioned|graduated|register|registered|registration)\b"

# What begins and what ends: the second follows the first, by so many seconds.
_SPANS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (r"\b(hired?|hiring|joined|employment start)\b", r"\b(terminated|termination|left|leaving|employment end)\b", {"low": 30 * _DAY, "high": 365 * _DAY}),
    (r"\b(check in|checked in)\b", r"\b(check out|checked out)\b", {"low": _DAY, "high": 14 * _DAY}),
    (r"\b(departure|departs?|departed|takeoff|[sea]td|outbound)\b", r"\b(arrival|arrives?|arrived|landing|[sea]ta|inbound|return)\b", {"low": 3600, "high": 10 * 3600}),
    (r"\b(admitted|admission|admit)\b", r"\b(discharged?|released)\b", {"low": 3600, "high": 10 * _DAY}),
    (r"\b(valid from|not before|effective from|effective|issued?|issue date)\b", r"\b(not after|valid (to|until|thru|through)|effective (to|until)|expires?|expiry|expiration|expired)\b", {"low": 30 * _DAY, "high": 730 * _DAY}),
    (r"\b(pickup|picked up|boarding)\b", r"\b(dropoff|dropped off|drop off|alighting)\b", {"low": 300, "high": 3600}),
    (r"\brequest( (sent|received|started|at))?\b", r"\bresponse( (sent|received|ended|at))?\b", {"low": 0.005, "high": 30}),
    (r"\b(start|starts|started|begin|begins|began|beginning|from|opened|open|onset|login|entry|entered)\b", r"\b(end|ends|ended|finish|finished|to|until|closed|close|stop|stopped|completed|resolved|logout|exit|left)\b", {"low": 1, "high": 6 * 3600}),
    (r"\b(created|creation|create|inserted|registered|ordered|order|placed|submitted|requested|purchased|sent|first seen)\b", r"\b(updated?|modified|modification|changed|edited|last seen|shipped|delivered|received|paid|approved|processed|cancelled|canceled|deleted|responded|closed|completed)\b", {"low": 1, "high": 3600}),
)  # fmt: skip


def unit_of(field: Field) -> str | None:
    """Return the unit in which a number says a time, as far as name or schema tell it."""
    if named := next((unit for pattern, unit in _UNITS if search(pattern, field.says)), None):
        return named
    told = (
        (r"debezium\.time\.nanotimestamp", "nanoseconds"),
        (r"debezium\.time\.microtimestamp", "microseconds"),
        (r"debezium\.time\.timestamp", "milliseconds"),
        (r"debezium\.time\.date", "days"),
        (r"nano ?second", "nanoseconds"),
        (r"micro ?second", "microseconds"),
        (r"milli ?second", "milliseconds"),
        (r"(unix|epoch|posix)[\w ]*\bseconds|seconds since", "seconds"),
    )
    return next((unit for pattern, unit in told if search(pattern, field.notes)), None)


def is_moment(field: Field) -> bool:
    """Tell whether a field without a logical type says when something is, by its name or by what the schema notes."""
    kind = field.node.kind
    if search(
        r"debezium\.time\.((nano|micro|zoned)?timestamp|date)|epoch|since 1970|unix time|iso[ -]?8601|rfc[ -]?3339",
        field.notes,
    ):
        return True
    if field.is_named("^epochs?$") and field.is_near(
        r"\b(loss|learning rate|train|training|batch size|accuracy|optimi[sz]er)\b"
    ):
        return False
    if kind == "int" and field.is_named(r"\bdate (key|id|sk)$"):
        return True
    if kind not in ("string", "long", "int", "double", "float") or field.is_named(_NEVER):
        return False
    if kind == "int" and field.is_named(
        r"^(view|visit|call|date|request|reading|scan|login|current|device|system|server) time$"
    ):
        return False
    if kind == "int" and field.is_named(r"^(last|first) (\w{2,}ed|contact|seen|activity|login|heartbeat|sync|update)$"):
        return True
    if field.is_named(_MOMENT):
        return not (kind in ("int", "float", "double") and field.is_named(r"\bday$"))
    return kind in ("string", "long") and _is_moment_in_full(field)


def _is_moment_in_full(field: Field) -> bool:
    """Tell it of a text or a long, which hold a point in time more often than a span."""
    if field.is_named(r"\btime$") and not field.is_named(_SPAN):
        return True
    if field.is_named(r"\bday$|\bdob$|\bdue( (on|by))?$" if field.node.kind == "string" else r"^view time$"):
        return True
    if field.is_named(_DOINGS):
        return True
    whole = field.node.kind == "long"  # which may as well count characters
    if whole and field.is_named(_SPAN_ENDS) and not field.is_near(_MEDIA):
        return True
    if (
        whole
        and field.is_named(r"\b(start|end|begin)$")
        and field.is_near(r"\b(byte|position|index|char|text|line)s?\b")
    ):
        return False
    return field.is_named(_BARE)


def moment(field: Field) -> dict[str, Any]:
    """Return the rule of a point in time: the event's own, or as far from it as its name says."""
    rule: dict[str, Any] = {}
    if back := _back(field):
        rule["back_s"] = back
    if written := written_as(field):
        rule["written"] = written
    return {"timestamp": rule}


def written_as(field: Field) -> str | None:
    """Return how the point in time is written, where its type does not say it."""
    node = field.node
    if node.logical:
        return None
    unit = unit_of(field)
    if node.kind == "string":
        if field.is_named(r"\b(at|time|timestamp|datetime|hour)\b"):
            return None
        return "date" if field.is_named(r"\b(date|day|dob|due)\b|\bon$") else None
    if node.kind == "int" and unit in (None, "milliseconds", "microseconds", "nanoseconds"):
        return "yyyymmdd" if field.is_named(r"\bdate( (key|id|sk))?$|\bday$") else "seconds"
    if node.kind == "int" or unit:
        return unit
    if node.kind == "long" and field.is_named(r"\b(sunrise|sunset|moonrise|moonset|epoch)\b"):
        return "seconds"
    return None


def _back(field: Field) -> dict[str, Any] | None:
    """Return how long before the event the point lies, in seconds; what is below zero is after it."""
    if field.is_named(_BIRTH):
        return {"kind": "uniform", "low": 18 * _YEAR, "high": 85 * _YEAR}
    if field.is_named(
        r"^(valid|card|expiry|expiration).*|\b(expires?|expiry|expiration|renewal|warranty|maturity)\b"
    ) and not field.is_named(r"from|start"):
        return {"kind": "uniform", "low": -1000 * _DAY, "high": -30 * _DAY}
    if field.is_named(_SOON):
        return {"kind": "uniform", "low": -30 * _DAY, "high": -3600}
    if field.is_named(r"\b(check in|check out)\b"):
        return {"kind": "uniform", "low": -90 * _DAY, "high": -2 * _DAY}
    if field.is_named(_LONG_AGO) and not field.is_named(r"\bbuild\b"):
        return {"kind": "uniform", "low": 366 * _DAY, "high": 10 * _YEAR}
    if written_as(field) == "yyyymmdd":
        return {"kind": "uniform", "low": 0, "high": 365 * _DAY}
    if field.is_named(_PAST):
        return {"kind": "exponential", "mean": 30 * _DAY, "max": 300 * _DAY}
    return None


def earlier(rule: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return a rule of the past that is at least so long ago, so that what follows has happened as well."""
    back = rule["timestamp"]["back_s"]
    if back.get("low", 0) < 0:
        return rule
    moved = back | (
        {"low": max(back["low"], seconds)} if "low" in back else {"min": seconds, "max": back["max"] + seconds}
    )
    return {"timestamp": rule["timestamp"] | {"back_s": moved}}


def pairs(fields: dict[str, Field]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return for fields of one record which one each follows, and by how many seconds.

    :param fields: the points in time of one record, by path.
    """
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for begins, ends, gap in _SPANS:
        near: dict[str, str] = {}
        for path, field in fields.items():
            if search(begins, field.says):
                rest = compiled(begins).sub("|", field.says)
                near.setdefault(rest, path)
                near.setdefault(_bare(rest), path)
        for path, field in fields.items():
            if path in found or not search(ends, field.says):
                continue
            rest = compiled(ends).sub("|", field.says)
            chosen = near.get(rest, near.get(_bare(rest), path))
            if chosen != path and not _leads(found, chosen, path):
                short = {"high": 60} if field.is_named(r"\b(ms|us|ns)$") and gap["high"] < _DAY else {}
                found[path] = chosen, {"kind": "uniform"} | gap | short
    return found


def _bare(rest: str) -> str:
    """Return what a name says beside that something begins or ends, without the words for a time."""
    bare = r"\b(at|on|time|date|timestamp|datetime|ms|us|ns|s|unix|seconds|last|first)\b|\s"
    return "~" + compiled(bare).sub("", rest).replace("|", "")


def _leads(found: dict[str, tuple[str, dict[str, Any]]], start: str, goal: str) -> bool:
    """Tell whether the pairs that are known lead from one field to another."""
    while start in found:
        start = found[start][0]
        if start == goal:
            return True
    return False
