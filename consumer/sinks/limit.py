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

    def hold(self, events: int, quarantined: int, *, where: str) -> None:
        """Check what a warehouse holds.

        :raises LimitBroken: it is too much.
        """
        if self.broken_by(events, quarantined):
            raise LimitBroken(
                f"the quarantine holds {quarantined:,} records, the limit is {self}",
                where=where,
                hint="Mend the producer and replay the quarantine, or raise --max-quarantined",
            )

    def __str__(self) -> str:
        return f"{self.records}" if self.records is not None else f"{100 * (self.share or 0):g} %"


NO_LIMIT = Limit()
# What a load may put into the quarantine when nobody set a limit: more than half of what it read is not an accident.
USUAL_SHARE = 0.5


class LimitBroken(DataRejected):
    """The quarantine would hold more than it may."""


def quarantined_share(rows: int, quarantined: int) -> float:
    """Return the share of records with a value that went into the quarantine; 0 where there is none."""
    return quarantined / (rows + quarantined) if quarantined else 0.0


def share_in_words(rows: int, quarantined: int) -> str:
    """Say how much of a load went into the quarantine."""
    share = f"{100 * quarantined_share(rows, quarantined):.1f} %"
    return f"{quarantined:,} of {rows + quarantined:,} records ({share}) went into the quarantine"


def unusual(rows: int, quarantined: int, *, where: str, topic: str) -> LimitBroken | None:
    """Return the error of a load that quarantined more than is usual, ``None`` for any other. Everything is stored."""
    if quarantined_share(rows, quarantined) <= USUAL_SHARE:
        return None
    said = share_in_words(rows, quarantined)
    return LimitBroken(
        f"nothing at all could be decoded: {said}" if not rows else f"{said}, more than {100 * USUAL_SHARE:g} %",
        where=where,
        hint=f"`streamproof quarantine list {topic}` says why. They are kept: mend the cause and replay them, or give "
        "--max-quarantined 100% where that is as it should be",
    )
