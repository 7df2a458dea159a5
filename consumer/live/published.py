"""What readers see of a topic: the current publication on this machine, looked at only when it is another one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster.errors import StoreFailed
from consumer.publish.paths import topic_folder

_RUNS = "SELECT run_id, sum(rows)::BIGINT FROM files GROUP BY run_id"


@dataclass(frozen=True, slots=True)
class Published:
    """The events of the current publication, by run; none where nothing is published."""

    rows: int = 0
    runs: Mapping[str, int] = field(default_factory=dict)


class PublishedQuestion:
    """Reads the database of the current publication of each topic."""

    def __init__(self, publications: Path) -> None:
        self._publications = publications
        self._seen: dict[str, tuple[str, Published]] = {}

    def ask(self, topic: str) -> Published:
        """Return what is published.

        :raises StoreFailed: it cannot be read, or there is no folder of publications on this machine.
        """
        if not self._publications.expanduser().is_dir():
            raise StoreFailed("nothing was published on this machine yet", where=str(self._publications))
        current = topic_folder(self._publications, topic) / "current"
        try:
            target = str(current.readlink())
        except FileNotFoundError:
            return Published()
        except OSError as error:
            raise StoreFailed(f"the publication cannot be found: {error.strerror}", where=str(current)) from None
        seen = self._seen.get(topic)
        if seen is None or seen[0] != target:
            seen = self._seen[topic] = (target, _read(current / "snapshot.duckdb"))
        return seen[1]

    def keep(self, topics: Collection[str]) -> None:
        """Forget other topics."""
        self._seen = {topic: seen for topic, seen in self._seen.items() if topic in topics}


def _read(database: Path) -> Published:
    import duckdb  # deferred: who only looks at topics that nobody published loads none

    try:
        with duckdb.connect(str(database), read_only=True) as reader:
            runs = {str(run_id): int(rows) for run_id, rows in reader.execute(_RUNS).fetchall()}
    except duckdb.Error as error:
        raise StoreFailed(
            f"the publication cannot be read: {type(error).__name__}",
            where=str(database),
            hint="`streamproof verify` says what is wrong with it",
        ) from None
    return Published(sum(runs.values()), runs)
