"""The plan of a replay as an operator: files of two feeds to two topics, one run, with generators of their own each.

Packages are imported in ``work``: the Dag processor reads this module every few seconds.
"""
# ruff: noqa: D102 - every work() is given a context, and the class says what it does

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from cluster.local import PROJECT_ROOT
from plugins.step import StreamproofOperator

if TYPE_CHECKING:
    from producer.plan.request import ProduceRequest

# The scenarios of the two feeds, called as their contracts and as their topics unless the form says otherwise.
CLICKS, ARTICLES = "click_stream", "click_stream_metadata"
# Files to try it with, which come with the project.
SAMPLES = PROJECT_ROOT / "samples" / "click_stream"


class PlanReplayOperator(StreamproofOperator):
    """Read and check the files of both feeds, and split them among generators; refuse what cannot be.

    Returns a mapping for each generator, as ``expand_kwargs`` of :class:`~plugins.operators.GenerateShardOperator`
    takes it. The files are copied into a typed form once, here: the generators of this machine find it.

    :param feeds: for each scenario its ``topic``, the ``prefix`` of its files, and how many ``shards`` it has.
    :param folder: where the files are; the sample files when empty.
    :param suffix: how their names end.
    :param rate: clicks a second; as fast as possible when empty. Articles go as fast as possible.
    :param speed: the original timing times this, by one clock for both feeds; the rate decides when empty.
    """

    template_fields: Sequence[str] = (
        *StreamproofOperator.template_fields,
        "feeds",
        "folder",
        "suffix",
        "rate",
        "speed",
    )

    def __init__(
        self,
        *,
        feeds: Mapping[str, Mapping[str, Any]] | None = None,
        folder: str = "{{ params.folder or '' }}",
        suffix: str = "{{ params.suffix }}",
        rate: float | str = "{{ params.rate or '' }}",
        speed: float | str = "{{ params.speed or '' }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.feeds = feeds or {
            CLICKS: {
                "topic": "{{ params.topic }}",
                "prefix": "{{ params.prefix }}",
                "shards": "{{ params.shards }}",
            },
            ARTICLES: {"topic": "{{ params.metadata_topic }}", "prefix": "{{ params.metadata_prefix }}", "shards": 1},
        }
        self.folder = folder
        self.suffix = suffix
        self.rate = rate
        self.speed = speed

    def work(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002
        from producer.feeds import Feed, Timing, stage_feeds
        from producer.plan.acceptance import accept
        from producer.scenarios import find_scenario

        feeds = [Feed(scenario, str(told["topic"]), self._options(told)) for scenario, told in self.feeds.items()]
        # By one clock, whose second 0 is the first click: the articles of years before are there already.
        timing = Timing(speed=float(self.speed) if self.speed else None, first_feed=True)
        generators: list[dict[str, Any]] = []
        for staged, told in zip(stage_feeds(feeds, timing=timing), self.feeds.values(), strict=True):
            if staged.staged.set_aside:
                first = ", ".join(
                    f"{row['file']} line {row['line']}: {row['reason']}" for row in staged.first_reasons()
                )
                self.log.warning("%s: %s rows set aside: %s", staged.feed.name, staged.staged.set_aside, first)
            paced = staged.feed.scenario == CLICKS and self.rate
            settings = {
                "scenario": staged.feed.scenario,
                "shards": int(told["shards"]),
                "rate": float(self.rate) if paced else 0.0,
                "options": dict(staged.feed.options),
            }
            request = self._request(staged.feed.topic, settings)
            accept(request.plan, find_scenario(staged.feed.scenario))
            self.log.info("%s: %s shards to %s, %s", request.scenario, request.shards, request.topic, request.plan.pace)
            settings["options"] = dict(request.plan.options)
            generators += [
                {"topic": request.topic, "shard": settings | {"shard": shard}} for shard in range(request.shards)
            ]
        return generators

    def _options(self, told: Mapping[str, Any]) -> dict[str, Any]:
        return {"folder": self.folder or str(SAMPLES), "prefix": told["prefix"], "suffix": self.suffix}

    def _request(self, topic: str, settings: Mapping[str, Any]) -> ProduceRequest:
        from producer.plan.request import ProduceRequest

        return ProduceRequest(topic=topic, run_id=self.run_id, **settings)
