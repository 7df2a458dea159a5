"""The readings of names: what each stands for, and the words around it where they decide."""

from __future__ import annotations

from dataclasses import dataclass

from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.tables import lines_of, pairs_of

# Words of a record and of its fields that decide, by the name of their group.
AROUND: dict[str, str] = {name: rf"\b({words})\b" for name, words in pairs_of("around.txt")}


@dataclass(frozen=True, slots=True)
class Reading:
    """``named``: what the name's words match; ``near``: what the record, a field beside it or the name must match."""

    named: str
    values: str
    near: str = ""

    def fits(self, field: Field) -> bool:
        """Tell whether this is what a field's name means."""
        if not field.is_named(self.named):
            return False
        return not self.near or field.is_near(self.near) or field.is_named(self.near)


def readings_of(file: str) -> tuple[Reading, ...]:
    """Return the lines of a table: a pattern, the values, and the group of words around it, if they decide."""
    lines = [line.split(" => ") for line in lines_of(file)]
    return tuple(Reading(one[0], one[1], AROUND[one[2]] if len(one) > 2 else "") for one in lines)
