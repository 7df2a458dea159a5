"""How much the quarantine may hold before a load stops."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.errors import DataRejected, Misconfigured


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of records, or a share of all records with a value, over the whole warehouse.

    Over the whole of it, so that a retry does not let through what the first attempt refused.
    """

    records: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read ``100`` or ``0.5%``.

        :raises Misconfigured: it is neither.
        """
        try:
            limit = cls(share=float(text[:-1]) / 100) if text.endswith("%") else cls(records=int(text))
        except ValueError:
            limit = NO_LIMIT
        if limit == NO_LIMIT or (limit.records or 0) < 0 or not 0 <= (limit.share or 0) <= 1:
            raise Misconfigured(f"{text!r} is not a limit", hint="Give a number of records, or a share such as 0.5%")
        return limit

    def broken_by(self, events: int, quarantined: int) -> bool:
        """Tell whether a warehouse with so many records breaks the limit."""
        if self.records is not None and quarantined > self.records:
            return True
        return self.share is not None and quarantined > self.share * (events + quarantined)

    def __str__(self) -> str:
        return f"{self.records}" if self.records is not None else f"{100 * (self.share or 0):g} %"


NO_LIMIT = Limit()


class LimitBroken(DataRejected):
    """The quarantine would hold more than it may."""
