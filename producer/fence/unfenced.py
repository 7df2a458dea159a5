"""Going without a fence, as a setting says: nothing but this machine's name holds a second process back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import structlog

from cluster.connection import KafkaSettings
from producer.send.right import AlwaysSends
from schemas.control_topic import write_manifest
from schemas.leases import Lease
from schemas.manifest import FaultPage, Manifest
from schemas.progress import ProgressTeller

log = structlog.get_logger()


class Unfenced(AlwaysSends):
    """See :class:`producer.fence.right.Right`."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._onlookers: ProgressTeller | None = None

    def __enter__(self) -> Self:
        log.info("no fence: another machine that produces the same shard is not held back", setting="shard_fence")
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go()

    def taken(self) -> None:
        """Return at once."""

    def wait_for(self, before: Lease | None, control_ends: Mapping[int, int]) -> None:
        """Return at once."""

    def give_way(self) -> None:
        """Tell nobody."""

    def announce(self, manifest: Manifest) -> None:
        """Write the manifest."""
        write_manifest(self._kafka, manifest)
        self._onlookers = ProgressTeller(self._kafka, manifest)

    def tell(self, *, generated: int, acknowledged: int, failed: int) -> None:
        """Tell onlookers."""
        if self._onlookers is not None:
            self._onlookers.tell(generated=generated, acknowledged=acknowledged, failed=failed)

    def declare(self, manifest: Manifest, pages: Sequence[FaultPage], *, timeout_s: float) -> None:
        """Write the manifest."""
        self._let_go()
        write_manifest(self._kafka, manifest, pages=pages, timeout_s=timeout_s)

    def _let_go(self) -> None:
        if self._onlookers is not None:
            self._onlookers.close()
            self._onlookers = None
