"""Counting a topic as an operator: running totals of a field, published while a run goes on, exactly once.

Packages are imported in ``work``: the Dag processor reads this module every few seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context, ExceptionRetryPolicy, RetryAction, RetryRule

from cluster.errors import TakenOver, Terminal
from cluster.text.durations import seconds_in
from plugins.step import LOG_EVERY_S, StoppableOperator, StreamproofOperator, every

# Two counters of one topic and output would take the id from each other, again and again.
_POLICY = ExceptionRetryPolicy(
    rules=[RetryRule([Terminal, TakenOver], RetryAction.FAIL, reason="Trying again would not help")]
)


class CountOperator(StoppableOperator):
    """Keep running totals of a topic by a field, for a time, and publish them to another topic.

    It ends when its time is over, or sooner, when everything that the run sent is counted. Stopped, killed or tried
    again, it goes on at the last output. The figures are the XCom ``return_value``.

    :param by: the field, by its path.
    :param to: topic of the totals.
    :param every: ``event``, or a duration such as ``200ms``.
    :param lasting: how long at most, such as ``10m``.
    :param with_run: end when all shards of the run have ended and what they sent is counted.
    :param names: names that are there with 0 from the beginning, beside those of an enum.
    """

    template_fields: Sequence[str] = (
        *StreamproofOperator.template_fields,
        *("by", "to", "every", "lasting", "names"),
    )
    ui_color = "#fdf0e6"

    def __init__(
        self,
        *,
        by: str,
        to: str,
        every: str = "event",
        lasting: str = "10m",
        with_run: bool = True,
        names: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs | {"retry_policy": kwargs.get("retry_policy") or _POLICY})
        self.by = by
        self.to = to
        self.every = every
        self.lasting = lasting
        self.with_run = with_run
        self.names = names

    def work(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - every work() is given one
        """Count."""
        from contextlib import ExitStack

        from consumer.counter.bounds import Every, Until
        from consumer.counter.count import Counting, count
        from consumer.counter.run_end import ending_with

        connection = self.connection()
        say = every(LOG_EVERY_S, lambda progress: self.log.info("%s", progress.words()))
        with ExitStack() as opened:
            until = Until(seconds_in(self.lasting))
            if self.with_run:
                ending = opened.enter_context(ending_with(connection.kafka, self.topic, self.run_id))
                until = Until(seconds_in(self.lasting), ending=ending)
            counting = Counting(
                topic=self.topic,
                by=self.by,
                to=self.to,
                every=Every.parse(self.every),
                until=until,
                names=self.names,
            )
            stop = opened.enter_context(self.stopping())
            result = count(connection, counting, stop=stop, progress=say)
        self.log.info(
            "Counted %s events of %s by %s, %s outputs into %s, lag %s",
            f"{result.progress.events:,}",
            self.topic,
            self.by,
            f"{result.progress.outputs:,}",
            self.to,
            result.progress.lag,
        )
        for name, total in result.progress.totals.items():
            self.log.info("  %s: %s", name, f"{total:,}")
        for sentence in result.apart_in_words():
            self.log.warning("%s: they are in no total", sentence)
        if self.with_run and result.ended == "time":
            self.log.warning("The time is over, and the run did not say that it ended: what comes is not counted")
        return result.document()
