"""What is null because of what happened: the row before an insert and after a delete, the error of what went well."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from producer.scenarios.declared.defaults.field import Field

Ways = Iterator[tuple[str, dict[str, Any]]]

_OPERATION = r"^(op|operation|action|kind|type|change|dml)$|\b(op|operation|change|event|dml|record|mod|row|mutation) (type|kind|name|operation|code|op)$|^(event name|cdc op|cdc operation|op type|cdc type|change op)$"
_BEFORE = r"^(before|old|previous|prior)( (row|image|value|values|data|state|record|document|full document))*$|^(\w+ )+(before|before change)$"
_AFTER = r"^(after|new|current)( (row|image|value|values|data|state|record|document|full document))*$|^(\w+ )+(after|after change)$"
_MADE = re.compile(
    r"^(c|r|i|create|created|insert|inserted|read|snapshot|load|loaded|add|added|new|upsert_new)$", re.IGNORECASE
)
_GONE = re.compile(r"^(d|delete|deleted|remove|removed|del|purge|destroy|destroyed)$", re.IGNORECASE)
_KEPT = re.compile(r"^(u|update|updated|modify|modified|change|changed|replace|patch)$", re.IGNORECASE)

_OUTCOME = r"\b(status|state|result|outcome|disposition|success|succeeded|ok|successful|status code|response code|exit code)$|^is (success|successful|ok|error)$|^(has error|failed|error|errored)$"
# Words of statuses that say that something did not go well.
_BAD = re.compile(
    r"fail|error|reject|declin|denied|deny|timeout|timed_out|abort|crash|invalid|refused|blocked|exception|bounced|killed",
    re.IGNORECASE,
)
_FAULT = r"\b(error|failure|fault|exception|rejection|decline|denial)( (message|code|reason|type|text|details?|description|class|name|trace|info|at|timestamp))?$|^(stack ?trace|exception \w+|error \w+|failed (at|reason)|(rejected|declined) reason)$"
# What is only there when a thing has come to an end of this kind.
_ENDED = r"^(cancel|cancell|delet|refund|reject|declin|fail|return|suspend|terminat|revok|archiv)\w*( (at|on|date|time|timestamp|by|reason))?$|^(cancel\w*|refund|rejection|return|termination|suspension) (reason|date|time|amount|code)$"
_STEM = re.compile(r"^(cancel|delet|refund|reject|declin|fail|return|suspen|terminat|revo|archiv)")


def nulls(fields: Mapping[str, Field], listed: Mapping[str, Sequence[Any]], free: frozenset[str]) -> Ways:
    """Yield which values of the fields of one record are null, where that follows from another of its fields.

    :param fields: all fields of the record, by path.
    :param listed: the values that fields take, where they are few and known.
    :param free: the fields of whose nulls nobody says anything.
    """
    may = {path: field for path, field in fields.items() if path in free and _may_be_null(field)}
    yield from _of_changes(fields, may, listed)
    for path, field in may.items():
        found = _of_outcome(path, fields, listed) if field.is_named(_FAULT) else None
        if found is None and field.is_named(_ENDED):
            found = _of_end(field, fields, listed)
        if found is not None:
            yield path, found


def _of_changes(fields: Mapping[str, Field], may: Mapping[str, Field], listed: Mapping[str, Sequence[Any]]) -> Ways:
    """Yield the nulls of the rows before and after a change: what is made has none before, what is gone has none after."""
    pairs = {
        path: pattern for pattern in (_BEFORE, _AFTER) for path, field in fields.items() if field.is_named(pattern)
    }
    if len(set(pairs.values())) < 2:
        return
    for path, values in listed.items():
        made, gone = ([value for value in values if kind.match(str(value))] for kind in (_MADE, _GONE))
        kept = [value for value in values if _KEPT.match(str(value))]
        if not fields[path].is_named(_OPERATION) or not kept or not (made or gone):
            continue
        for row, pattern in pairs.items():
            lacking = made if pattern == _BEFORE else gone
            if row in may:
                yield row, {"nulls_where": {path: lacking}} if lacking else {"nulls": 0.0}
        return


def _of_outcome(path: str, fields: Mapping[str, Field], listed: Mapping[str, Sequence[Any]]) -> dict[str, Any] | None:
    """Return that an error is null where what is beside it went well."""
    for other, values in listed.items():
        if other == path or not fields[other].is_named(_OUTCOME):
            continue
        bad = [value for value in values if is_bad(value, fields[other])]
        well = [value for value in values if value not in bad]
        if bad and well:
            return {"nulls_where": {other: well}}
    return None


def _of_end(field: Field, fields: Mapping[str, Field], listed: Mapping[str, Sequence[Any]]) -> dict[str, Any] | None:
    stem = _STEM.match(field.says)
    for other, values in listed.items():
        if stem is None or not fields[other].is_named(r"\b(status|state)$"):
            continue
        rest = [value for value in values if not str(value).lower().startswith(stem[0])]
        if len(rest) < len(values):
            return {"nulls_where": {other: rest}}
    return None


def is_bad(value: Any, field: Field) -> bool:
    """Tell whether a value of a status says that something did not go well."""
    if isinstance(value, bool):
        return value == field.is_named(r"\b(error|errored|failed)$")
    if isinstance(value, int) or str(value).isdigit():
        return int(value) >= 400 if not field.is_named(r"\bexit\b") else int(value) != 0
    return _BAD.search(str(value)) is not None


def _may_be_null(field: Field) -> bool:
    return field.node.nullable and field.node.kind not in ("union", "null")
