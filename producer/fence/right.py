"""What the sending of a shard asks of the right to do so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from producer.send.right import Sends
from schemas.leases import Lease
from schemas.manifest import FaultPage, Manifest


class Right(Sends, Protocol):
    """The right to send a shard, from taking it to giving it back."""

    def taken(self) -> None:
        """Wait until it is this process's, and nobody else can write what is of the shard to the control topic.

        :raises Refused: the login lacks a right, which the error names.
        :raises BrokerUnreachable: nobody answered in time.
        :raises Interrupted: stopped meanwhile.
        """
        ...

    def wait_for(self, before: Lease | None, control_ends: Mapping[int, int]) -> None:
        """Wait until the process that had it before sends nothing any more.

        :param before: its lease, where it did not give it back.
        :param control_ends: where the control topic ended when that was read.
        :raises Interrupted: stopped meanwhile.
        """
        ...

    def announce(self, manifest: Manifest) -> None:
        """Write the ``running`` manifest. From here on the right is kept, and events may be sent.

        :raises TakenOver: another process has taken the shard.
        :raises BrokerUnreachable: not acknowledged in time.
        """
        ...

    def tell(self, *, generated: int, acknowledged: int, failed: int) -> None:
        """Take the newest figures, for whoever looks on."""
        ...

    def declare(self, manifest: Manifest, pages: Sequence[FaultPage], *, timeout_s: float) -> None:
        """Write the ``finished`` manifest, and give the right back.

        :raises TakenOver: another process has taken the shard; nothing is written.
        :raises BrokerUnreachable: not acknowledged in time.
        """
        ...

    def give_way(self) -> None:
        """Tell whoever took the shard that nothing of this process is on its way."""
        ...
