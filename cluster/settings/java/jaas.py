"""A login line (``sasl.jaas.config``) as Kafka's own parser reads it: class ``JaasConfig`` over ``StreamTokenizer``.

Words are letters, digits, ``_``, ``$`` and ``-``, and begin with no digit; a dot is a digit to the tokeniser, so names
of classes and options are words. Values stand in double or single quotes, with the escapes of a Java string. Comments
are ``//``, ``/* */``, and a single ``/`` too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_FLAGS = ("REQUIRED", "REQUISITE", "SUFFICIENT", "OPTIONAL")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_DIGITS = "0123456789"
_OCTAL = "01234567"
_HIGHEST_OF_THREE = "3"  # \377 is one character, \477 is two


class UnreadableLogin(ValueError):
    """The line is not one that Kafka reads; the message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a line says: the class that logs in, and its options."""

    module: str
    options: Mapping[str, str] = field(repr=False)


def read_login(text: str) -> Login:
    """Return the one login module of a line.

    :raises UnreadableLogin: Kafka would not read it, or it has none or several modules.
    """
    tokens = _Tokens(text)
    found: list[Login] = []
    tokens.advance()
    while not tokens.ended:
        found.append(_entry(tokens))
        tokens.advance()
    if len(found) != 1:
        raise UnreadableLogin(f"it has {len(found)} login modules, and Kafka takes one")
    return found[0]


def _entry(tokens: _Tokens) -> Login:
    module, flag = tokens.word, tokens.advance()
    if not module or flag is None or flag.upper() not in _FLAGS:
        raise UnreadableLogin("it does not begin with a class and `required`")
    options: dict[str, str] = {}
    name = tokens.advance()
    while not tokens.ended and tokens.sign != ";":
        number = len(options) + 1
        tokens.advance()
        if name is None or tokens.sign != "=":
            raise UnreadableLogin(
                f"option {number} is not name=value; put values between double quotes, and a backslash before a quote "
                "or backslash within them"
            )
        value = tokens.advance()
        if value is None:
            raise UnreadableLogin(f"option {number} has no value; put it between double quotes")
        if options.get(name, value) != value:
            raise UnreadableLogin(f"option {number} is given twice, with two values")
        options[name] = value
        name = tokens.advance()
    if tokens.ended:
        raise UnreadableLogin("it does not end with a semicolon")
    return Login(module, options)


class _Tokens:
    """Java's ``StreamTokenizer`` with the settings of ``JaasConfig``: the token at hand is a word or a sign."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.word: str | None = None  # of a word or a quoted text
        self.sign = ""  # of anything else, and of a number
        self.ended = False

    def advance(self) -> str | None:
        """Read the next token, and return its word if it is one."""
        self.word, self.sign = None, ""
        self._skip()
        letter = self._peek()
        if not letter:
            self.ended = True
        elif letter in _DIGITS or letter == "." or (letter == "-" and self._number_follows()):
            self._number()
        elif letter == "-":  # to the tokeniser a number that has no digits, and so a sign
            self._at += 1
            self.sign = letter
        elif _is_letter(letter):
            start = self._at
            while (letter := self._peek()) and (_is_letter(letter) or letter in f"{_DIGITS}."):
                self._at += 1
            self.word = self._text[start : self._at]
        elif letter in "\"'":
            self._quoted(letter)
        else:
            self._at += 1
            self.sign = letter
        return self.word

    def _peek(self, ahead: int = 0) -> str:
        return self._text[self._at + ahead : self._at + ahead + 1]

    def _skip(self) -> None:
        """Skip white space and comments."""
        while letter := self._peek():
            if letter <= " ":
                self._at += 1
            elif letter == "/" and self._peek(1) == "*":
                end = self._text.find("*/", self._at + 2)
                self._at = len(self._text) if end < 0 else end + 2
            elif letter == "/":
                self._at += 2  # a single one swallows what follows it, as Java's does
                while (letter := self._peek()) and letter not in "\r\n":
                    self._at += 1
            else:
                return

    def _number_follows(self) -> bool:
        after = self._peek(1)
        return bool(after) and (after in _DIGITS or after == ".")

    def _number(self) -> None:
        self.sign = "0"
        if self._peek() == "-":
            self._at += 1
        dots = 0
        while (letter := self._peek()) and (letter in _DIGITS or (letter == "." and not dots)):
            dots += letter == "."
            self._at += 1

    def _quoted(self, quote: str) -> None:
        """Read up to the same quote, or to the end of the line, where Java ends it too."""
        self._at += 1
        made: list[str] = []
        while (letter := self._peek()) and letter != quote and letter not in "\r\n":
            self._at += 1
            made.append(self._escaped() if letter == "\\" else letter)
        if self._peek() == quote:
            self._at += 1
        self.word = "".join(made)

    def _escaped(self) -> str:
        first = self._peek()
        if not first or first not in _OCTAL:
            self._at += 1
            return _ESCAPES.get(first, first)
        longest = 3 if first <= _HIGHEST_OF_THREE else 2
        digits = ""
        while len(digits) < longest and (letter := self._peek()) and letter in _OCTAL:
            digits += letter
            self._at += 1
        return chr(int(digits, 8))


def _is_letter(letter: str) -> bool:
    return ("a" <= letter.lower() <= "z" and letter.isascii()) or letter in "_$-" or letter >= "\xa0"
