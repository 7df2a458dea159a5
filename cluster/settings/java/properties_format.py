"""The grammar of a properties file, as ``java.util.Properties.load`` reads it.

A line ends with CR, LF or both, and with nothing else. Blanks are the space, the tab and the form feed. A backslash at
the end of a line joins it to the next one, whose leading blanks are dropped; a comment is never continued.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cluster.errors import Misconfigured

_BLANKS = " \t\f"
_NEWLINE = re.compile(r"\r\n|\r|\n")
_PLAIN = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_HEX_DIGITS = 4


def parse(text: str) -> dict[str, str]:
    r"""Return the pairs of a file; of a key that stands there twice, the last value.

    :raises Misconfigured: an escape ``\u`` without four hexadecimal digits, where Java fails too. The line is named,
        and nothing of it is shown.
    """
    pairs: dict[str, str] = {}
    for number, line in _logical_lines(text):
        key, value = _split(line)
        try:
            pairs[_unescaped(key)] = _unescaped(value)
        except ValueError:
            raise Misconfigured(
                f"line {number} cannot be read as Java reads it: \\u is not followed by four hexadecimal digits",
                hint="Write a backslash that belongs to a value twice",
            ) from None
    return pairs


def trimmed(value: str) -> str:
    """Return a value without what Kafka takes off its ends, as ``String.trim`` does: blanks and control characters."""
    return value.strip("".join(map(chr, range(0x21))))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each logical line and the number of its first natural line, without comments and empty lines."""
    whole, first, lone = "", 0, False
    for number, natural in enumerate(_NEWLINE.split(text), 1):
        line = natural.lstrip(_BLANKS)
        if not whole:
            if not line or line[0] in "#!":
                lone = lone and not line
                continue
            first, lone = number, line == "\\"
        joined = (len(line) - len(line.rstrip("\\"))) % 2 == 1
        whole += line[:-1] if joined else line
        if not joined:
            yield first, whole
            whole = ""
    # To Java a backslash alone on the last line is a pair of two empty texts.
    if whole or (lone and text.endswith(("\\", "\\\r", "\\\n"))):
        yield first, whole


def _split(line: str) -> tuple[str, str]:
    """Split at the first ``=``, ``:`` or blank that is not escaped; blanks around a separator are not of the value."""
    end = 0
    while end < len(line) and line[end] not in f"=:{_BLANKS}":
        end += 2 if line[end] == "\\" else 1
    key, rest = line[:end], line[end:].lstrip(_BLANKS)
    return key, rest[1:].lstrip(_BLANKS) if rest[:1] in {"=", ":"} else rest


def _unescaped(text: str) -> str:
    r"""Undo escapes; a surrogate pair of two ``\u`` becomes one character.

    :raises ValueError: ``\u`` is not followed by four hexadecimal digits.
    """
    if "\\" not in text:
        return text
    made, at = [], 0
    while at < len(text):
        letter = text[at]
        at += 1
        if letter == "\\":
            if at == len(text):
                break
            letter = text[at]
            at += 1
            if letter == "u":
                digits = text[at : at + _HEX_DIGITS]
                if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
                    raise ValueError
                letter = chr(int(digits, 16))
                at += _HEX_DIGITS
            else:
                letter = _PLAIN.get(letter, letter)
        made.append(letter)
    return "".join(made).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
