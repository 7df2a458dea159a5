"""Where publications lie: folder and file names for topics and runs."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

from cluster.text.names import check_topic_name


def run_slug(run_id: str) -> str:
    """Return a name for files: what is readable of the run id, and a digest that keeps different runs apart."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", run_id).strip("-.")[:60] or "run"
    return f"{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:12]}"


def snapshot_name(at_us: int, run_id: str) -> str:
    """Return the name of the snapshot that was published for a run at a time, in microseconds since 1970, UTC."""
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000)
    return f"{moment:%Y%m%dT%H%M%S.%fZ}-{run_slug(run_id)}"


def topic_folder(publications: Path, topic: str) -> Path:
    """Return the folder of a topic. Kafka's names are safe for files, apart from two.

    :raises Misconfigured: the name is not one of a topic.
    """
    check_topic_name(topic)
    return publications.expanduser().resolve() / topic
