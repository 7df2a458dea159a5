"""Loading and auditing, as the steps do that judge a run: also when its generators were stopped, or continued.

Packages are imported in the methods: the Dag processor reads this module every few seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugins.step import LOG_EVERY_S, WarehouseOperator, every

if TYPE_CHECKING:
    from cluster.connection import Connection
    from consumer.load.progress import LoadResult
    from consumer.proof.result import AuditResult
    from consumer.sinks.limit import Limit

# A task that is ended learns of it within 5 s, and has 5 s then. Twice that, for a machine that is busy.
ENDING_S = 20.0


class LoadingOperator(WarehouseOperator):
    """A step that loads: all of it, or what came after the load, when the generators were continued."""

    def load(self, connection: Connection, limit: Limit | None = None) -> LoadResult:
        """Load the topic up to its end, exactly once.

        A generator that somebody ended goes on for some seconds, while Airflow has it down as ended. So the load begins
        when the manifests of the run say that their shards have ended, or a time limit later.
        """
        from consumer.load.load import load
        from consumer.load.progress import LoadLines
        from consumer.proof.kept_manifests import shards_at_work
        from consumer.sinks.limit import NO_LIMIT, share_in_words, unusual

        lines = LoadLines()
        say = every(LOG_EVERY_S, lambda progress: self.log.info("%s", lines.words(progress)))
        with self.stopping() as stop:
            going = shards_at_work(
                connection, self.topic, self.run_id, wait_s=ENDING_S, stop=stop, waiting=self._say_waiting
            )
            if going:
                self.log.warning("Shard %s does not say that it ended: what it sent is loaded, and not proved", going)
            result = load(connection, self.topic, self.place(), stop=stop, progress=say, limit=limit or NO_LIMIT)
        self.log.info(
            "Loaded %s rows at %s rows/s in %.1f s, quarantined %s",
            f"{result.rows:,}",
            f"{result.rate:,.0f}",
            result.seconds,
            result.quarantined,
        )
        if unusual(result.rows, result.quarantined, where=str(result.warehouse), topic=self.topic):
            self.log.warning("%s", share_in_words(result.rows, result.quarantined))
        for schema_id, why in result.not_compared.items():
            self.log.warning("Schema %s was not compared with the registry's: %s", schema_id, why)
        return result

    def audit(self, connection: Connection) -> AuditResult:
        """Audit the run; load first what the load has not come to, as after a shard that was continued."""
        from consumer.proof.audit import audit

        result = audit(connection, self.place(), self.topic, self.run_id)
        if result.verdict == "UNKNOWN" and (behind := sum(position.behind for position in result.partitions)):
            self.log.warning(
                "The load is %s offsets behind: they are loaded, and the run is audited again", f"{behind:,}"
            )
            self.load(connection)
            result = audit(connection, self.place(), self.topic, self.run_id)
        return result

    def _say_waiting(self, shards: list[int]) -> None:
        self.log.info("Shard %s has not said yet that it ended: waiting %g s at most", shards, ENDING_S)
