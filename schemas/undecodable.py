"""The faults that make a value undecodable, whatever its format."""

from __future__ import annotations

from typing import Literal

Phase = Literal["frame", "schema", "decode"]


class UndecodableValue(ValueError):
    """One value that cannot become a row. Belongs into the quarantine; carries no payload.

    :param kind: a short class, stable across versions: ``truncated``, ``trailing_bytes``, ``invalid_utf8`` ...
    :param message: what is wrong and at which byte.
    :param phase: how far the value came: its frame, its schema, or its content.
    """

    def __init__(self, kind: str, message: str, *, phase: Phase = "decode") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.phase: Phase = phase

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.kind, self.message, self.phase))


class UnsupportedSchema(UndecodableValue):
    """A schema that no typed table can hold (recursive, not a record, not Avro); every value of it is undecodable."""

    def __init__(self, message: str, kind: str = "unsupported_schema", phase: Phase = "schema") -> None:
        super().__init__(kind, message, phase=phase)


def _rebuild(error: type[UndecodableValue], kind: str, message: str, phase: Phase) -> UndecodableValue:
    rebuilt = error.__new__(error)
    UndecodableValue.__init__(rebuilt, kind, message, phase=phase)
    return rebuilt
