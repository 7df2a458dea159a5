"""Where the page of a run lies, and what its files are called."""

from __future__ import annotations

from pathlib import Path

from consumer.publish.paths import run_slug, topic_folder

PAGE = "index.html"
SUMMARY = "summary.json"


def report_folder(publications: Path, topic: str, run_id: str) -> Path:
    """Return the folder of a run's page.

    :raises Misconfigured: the name is not one of a topic.
    """
    return topic_folder(publications, topic) / "reports" / run_slug(run_id)
