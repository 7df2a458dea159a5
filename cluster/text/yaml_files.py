"""Reading the YAML files that people write: a key that stands twice is refused, and every fault has its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cluster.errors import Misconfigured

MAX_BYTES = 4_000_000
_HALF = re.compile("[\ud800-\udfff]")
_MERGE = "tag:yaml.org,2002:merge"


def read_yaml(path: Path, what: str) -> Any:
    """Return what a YAML file holds, with the types of ``yaml.safe_load``; ``None`` for an empty one.

    :param what: what the file is to its reader, as "the topics file".
    :raises Misconfigured: it cannot be read, is larger than 4 MB, is not YAML, or has a key twice.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise Misconfigured(f"{what} is larger than {MAX_BYTES // 1_000_000} MB", where=str(path))
        text = raw.decode("utf-8")
    except OSError as error:
        raise Misconfigured(f"{what} cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{what} is not UTF-8", where=str(path)) from None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        twice = list(_twice(root, "", set()))
        half = _half_character(text)
        content = None if root is None else loader.construct_document(root)
    except yaml.YAMLError as error:
        raise Misconfigured(f"{what} is not YAML{_reason(error, text)}", where=str(path)) from None
    except (ValueError, RecursionError) as error:  # a date such as 2026-02-30; a thousand brackets
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Misconfigured(f"{what} is not YAML: {reason}", where=str(path)) from None
    if half is not None:
        raise Misconfigured(f"{what} is not YAML at line {half}: an escape is half a character", where=str(path))
    if twice:
        raise Misconfigured(
            f"{what} has a key twice: {'; '.join(twice)}", where=str(path), hint="Keep one: the other would not count"
        )
    return content


def _half_character(text: str) -> int | None:
    """Return the line of the first text with half a character, which nothing can write; only escapes make one."""
    if "\\u" not in text and "\\U" not in text:
        return None
    tokens = (token for token in yaml.scan(text, yaml.SafeLoader) if isinstance(token, yaml.ScalarToken))
    return next((token.start_mark.line + 1 for token in tokens if _HALF.search(token.value)), None)


def _twice(node: Any, within: str, seen: set[int]) -> Iterator[str]:
    """Yield the keys that a mapping has more than once, by path, with their lines."""
    if id(node) in seen:  # an alias may lead back to where it is
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item, within, seen)
    if not isinstance(node, yaml.MappingNode):
        return
    first: dict[tuple[str, str], int] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        path = f"{within}.{name}" if within else name
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
            if (key.tag, name) in first:
                yield f"{path} (lines {first[key.tag, name]} and {line})"
            first.setdefault((key.tag, name), line)
        yield from _twice(value, path, seen)


def _reason(error: yaml.YAMLError, text: str) -> str:
    """Return line, column and cause, as far as they are known."""
    if isinstance(error, yaml.reader.ReaderError):
        return f" at line {text.count(chr(10), 0, error.position) + 1}: {error.reason}"
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{place}: {problem}" if problem else place
