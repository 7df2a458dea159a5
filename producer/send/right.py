"""What whoever hands events to a client asks of the right to send them."""

from __future__ import annotations

from typing import Protocol

from cluster.errors import StreamproofError


class Sends(Protocol):
    """The right to send, as often as it is asked for: all three are cheap."""

    @property
    def lost(self) -> StreamproofError | None:
        """Why nothing may be sent any more: another process has the shard, or nobody can tell."""
        ...

    def holds(self) -> bool:
        """Tell whether events may be handed over at this moment. It may be so again later, unless it is lost."""
        ...

    def overslept_s(self) -> float:
        """Return for how long the right has been over, seconds; 0 while it holds."""
        ...


class AlwaysSends:
    """The right of whoever needs none."""

    @property
    def lost(self) -> StreamproofError | None:
        """Say that it is not lost."""
        return None

    def holds(self) -> bool:
        """Say yes."""
        return True

    def overslept_s(self) -> float:
        """Say that it was never over."""
        return 0.0
