"""What a form or a YAML file writes, as the text or number that a setting has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from cluster.errors import Misconfigured

# A topic gives its name to files too, and "*.manifests" are the control topics.
TOPIC_PATTERN = r"^(?!.*\.manifests$)[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"
TOPIC_WORDS = (
    "Letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 200, not ending in '.manifests'"
)


def topic_name(value: str) -> str:
    """Return what can be the name of a topic here.

    :raises ValueError: it cannot.
    """
    if not re.match(TOPIC_PATTERN, value):
        raise ValueError(f"{value!r} cannot be a topic here: {TOPIC_WORDS[0].lower()}{TOPIC_WORDS[1:]}")
    return value


def shape_text(value: Any) -> Any:
    """Return a shape as its text, whether the form or YAML wrote it as text or as mappings."""
    if value is None or value == "":
        return None
    from producer.shapes import from_setting, to_text

    try:
        return to_text(from_setting(value))
    except Misconfigured as fault:
        raise ValueError(f"{fault.message} ({fault.where})") from None


def faults_text(value: Any) -> Any:
    """Return faults as their text, whether the form wrote them as text or YAML as a mapping."""
    if not value:
        return None
    from producer.faults.spec import as_text, from_mapping, parse_faults

    try:
        return as_text(from_mapping(value) if isinstance(value, Mapping) else parse_faults(str(value).split()))
    except Misconfigured as fault:
        raise ValueError(fault.message) from None


def incidents_text(value: Any) -> Any:
    """Return incidents as their text, whether the form wrote them as text or YAML as a list of texts."""
    if not value:
        return None
    from producer.plan.incidents import as_text, parse_incidents

    try:
        return as_text(parse_incidents([str(one) for one in value] if isinstance(value, list) else [str(value)]))
    except Misconfigured as fault:
        raise ValueError(fault.message) from None


def options_text(value: Any) -> Any:
    """Return options as their text, whether the form wrote them as text or YAML as a mapping."""
    if not value:
        return None
    from producer.scenarios.options import pairs

    try:
        given = value if isinstance(value, Mapping) else pairs(shlex.split(str(value)))
    except Misconfigured as fault:
        raise ValueError(fault.message) from None
    except ValueError as fault:
        raise ValueError(f"{value!r} cannot be read: {fault}") from None
    return " ".join(shlex.quote(f"{name}={one}") for name, one in given.items())


def percent(value: Any) -> Any:
    """Return a percentage as its number: YAML may say ``95%``."""
    return (value.strip().removesuffix("%") or None) if isinstance(value, str) else value


def conn_id(value: Any) -> Any:
    """Return the id of a connection, ``None`` where nothing was typed."""
    said = value.strip() if isinstance(value, str) else value
    if isinstance(said, str) and said and not re.fullmatch(r"[A-Za-z0-9_.-]+", said):
        raise ValueError(f"{said!r} cannot be the id of a connection: letters, digits, '_', '.' and '-'")
    return said or None
