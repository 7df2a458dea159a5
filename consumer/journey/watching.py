"""Watching a group: what its instances say of themselves, and what the group says of them."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace

from cluster.errors import DependencyDown, StreamproofError
from cluster.groups.sight import GroupSeen, MemberSeen, look_at_groups
from cluster.topics import admin_client, describe
from consumer.journey.processes import Instance
from consumer.journey.request import GroupProgress, GroupWork, InstanceView

_SIGHT_EVERY_S = 1.0
_RATE_OVER_S = 3.0


class GroupSight:
    """What the group says of itself, looked at once a second in a thread; unknown when it does not answer."""

    def __init__(self, work: GroupWork) -> None:
        self._work = work
        self._over = threading.Event()
        self.group: GroupSeen | None = None
        self.failure: StreamproofError | None = None
        self._thread = threading.Thread(target=self._look, daemon=True, name="group-sight")
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join(timeout=1.0)

    def of(self, client_id: str) -> MemberSeen | None:
        """Return what the group says of a member; ``None`` where that is not known."""
        members = self.group.members if self.group is not None else None
        return next((member for member in members or () if member.client_id == client_id), None)

    def _look(self) -> None:
        work = self._work
        admin, topic = admin_client(work.connection.kafka), work.subscription.topic
        while not self._over.wait(_SIGHT_EVERY_S):
            try:
                seen = look_at_groups(admin, topic.name, topic.partitions, only=[work.request.group])
                self.group = seen.groups[0] if seen.groups else None
                work.subscription.check_same(describe(admin, topic.name), work.request.store.shown)
            except DependencyDown:
                self.group = None
            except StreamproofError as error:
                self.failure = error
                return


class Watch:
    """The instances as the command sees them."""

    def __init__(self, work: GroupWork, instances: list[Instance], sight: GroupSight, began: float) -> None:
        self._work = work
        self._instances = instances
        self._sight = sight
        self._began = began
        self._seen: deque[tuple[float, list[int]]] = deque()

    def views(self) -> tuple[InstanceView, ...]:
        """Return how each instance is doing."""
        now, counts = time.monotonic(), [each.state.processed for each in self._instances]
        self._seen.append((now, counts))
        while now - self._seen[0][0] > _RATE_OVER_S and len(self._seen) > 1:
            self._seen.popleft()
        before, earlier = self._seen[0]
        over_s = now - before
        return tuple(
            self._view(each, (count - then) / over_s if over_s > 0 else 0.0)
            for each, count, then in zip(self._instances, counts, earlier, strict=True)
        )

    def _view(self, instance: Instance, rate: float) -> InstanceView:
        member = self._sight.of(instance.state.client_id)
        return InstanceView(
            state=instance.state,
            target=None if member is None else member.target,
            rate=rate,
            alive=instance.alive,
            idle=instance.alive and member is not None and member.idle and not instance.state.owned,
            died=instance.died,
        )

    def final(self, before: tuple[InstanceView, ...]) -> tuple[InstanceView, ...]:
        """Return how each instance was before it was stopped, with all that it stored, and its rate over the run."""
        seconds = time.monotonic() - self._began
        return tuple(
            replace(view, state=each.state, rate=each.state.processed / seconds, died=each.died)
            for each, view in zip(self._instances, before, strict=True)
        )

    def progress(self) -> GroupProgress:
        """Return how the group is doing."""
        request = self._work.request
        return GroupProgress(
            request.application,
            request.group,
            request.topic,
            self._work.subscription.topic.partitions,
            self.views(),
            time.monotonic() - self._began,
        )
