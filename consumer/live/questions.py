"""What the poller asks, how often, and about which topics. Each question has a thread and a client of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cluster.connection import Connection
from cluster.errors import BrokerSilent, TopicMissing
from cluster.reading import Watermarks
from consumer.live.asking import NOT_YET, Asking, NotYet
from consumer.live.claims import ClaimsQuestion
from consumer.live.compose import Readings, incident_sights
from consumer.live.groups import GroupsQuestion
from consumer.live.newest import NewestQuestion
from consumer.live.offsets import Client, EndsQuestion, LoadedQuestion, TopicsQuestion
from consumer.live.published import PublishedQuestion
from consumer.live.snapshot import IncidentSight
from consumer.live.totals import CountedQuestion

# Asked about no topic in particular.
_ALL = ""


class Questions:
    """All questions about some topics.

    ``every_s`` is from one round to the next, and after ``stale_s`` an answer is overdue.

    :param named: which topics somebody named, and whether somebody wants all.
    :param most: how many are looked at where nobody named them.
    """

    def __init__(
        self,
        connection: Connection,
        publications: Path,
        named: Callable[[], tuple[frozenset[str], bool]],
        *,
        most: int,
    ) -> None:
        self._named = named
        self._most = most
        kafka = connection.kafka
        ends = EndsQuestion(Client(kafka))
        self._topics = Asking("topics", TopicsQuestion(Client(kafka)), self._all, every_s=2.0, stale_s=15.0)
        self._ends = Asking("ends", ends, self.looked_at, every_s=0.5, stale_s=2.5)
        self._loaded = Asking(
            "loaded", LoadedQuestion(Client(kafka), self._marks), self.looked_at, every_s=0.5, stale_s=2.5
        )
        self._claims = Asking("claims", ClaimsQuestion(kafka), self.looked_at, every_s=0.25, stale_s=3.0)
        self._groups = Asking(
            "groups", GroupsQuestion(Client(kafka), self._marks), self.looked_at, every_s=1.0, stale_s=5.0
        )
        self._newest = Asking(
            "newest", NewestQuestion(connection, self._marks), self.looked_at, every_s=1.0, stale_s=5.0
        )
        counted = CountedQuestion(kafka, self._groups.of, self._marks)
        self._counted = Asking("counted", counted, self.looked_at, every_s=0.5, stale_s=3.0)
        self._published = Asking("published", PublishedQuestion(publications), self.looked_at, every_s=1.0, stale_s=5.0)

    def start(self) -> None:
        """Begin to ask."""
        for asking in self._each():
            asking.start()

    def stop(self, within_s: float) -> None:
        """Ask no more, and wait a moment for what is being asked."""
        for asking in self._each():
            asking.stop()
        for asking in self._each():
            asking.join(within_s)

    def looked_at(self) -> list[str]:
        """Return the topics that are looked at, by name."""
        named, everything = self._named()
        found = sorted(self._found() - named)[: self._most] if everything else []
        return sorted([*named, *found])

    def unshown(self) -> int:
        """Return how many topics are there beside those that are looked at."""
        named, everything = self._named()
        return max(0, len(self._found() - named) - self._most) if everything else 0

    def problem(self) -> str:
        """Return what keeps everything from being found out, in words."""
        topics = self.looked_at()
        if not topics:
            reading = self._topics.of(_ALL)
            faults = [reading.unknown if reading.value is None else ""]
        else:
            faults = [self._ends.of(topic).unknown for topic in topics]
        return faults[0] if all(faults) and faults[0] != NOT_YET else ""

    def answered(self) -> bool:
        """Tell whether every question has an answer, be it that something cannot be found out."""
        if self._named()[1] and self._topics.of(_ALL).unknown == NOT_YET:
            return False
        each = [asking for asking in self._each() if asking is not self._topics]
        return all(asking.of(topic).unknown != NOT_YET for asking in each for topic in self.looked_at())

    def about(self, topic: str) -> Readings:
        """Return what is known of a topic."""
        return Readings(
            ends=self._ends.of(topic),
            claims=self._claims.of(topic),
            loaded=self._loaded.of(topic),
            published=self._published.of(topic),
            groups=self._groups.of(topic),
            newest=self._newest.of(topic),
            counted=self._counted.of(topic),
        )

    def incidents(self) -> tuple[IncidentSight, ...]:
        """Return what was done to the local stack, as far as it is known, by its beginning."""
        found = []
        for topic in self.looked_at():
            claims = self._claims.of(topic).value
            found += [incident for run in (claims.incidents if claims else ()) for incident in incident_sights(run)]
        return tuple(sorted(found, key=lambda incident: incident.start))

    def _each(self) -> tuple[Asking[Any], ...]:
        return (
            self._topics,
            self._ends,
            self._loaded,
            self._claims,
            self._groups,
            self._newest,
            self._counted,
            self._published,
        )

    def _all(self) -> list[str]:
        return [_ALL] if self._named()[1] else []

    def _found(self) -> frozenset[str]:
        # Topics do not come and go: what was found last holds until it is known better.
        return self._topics.of(_ALL).value or frozenset()

    def _marks(self, topic: str) -> Mapping[int, Watermarks]:
        reading = self._ends.of(topic)
        if reading.known is None:
            if reading.unknown == NOT_YET:
                raise NotYet
            raise BrokerSilent(reading.unknown, where=topic)
        if not reading.known.exists:
            raise TopicMissing("the topic does not exist", where=topic)
        return reading.known.marks
