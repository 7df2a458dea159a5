"""
### Rehearse `clickstream`

Visitors of a web shop, from the home page to the checkout, on a Kafka topic for a bounded time; loaded into DuckDB
exactly once, and proved by identity.

Press **Trigger** in Airflow. With an empty rate, each shard sends what visitors would: 125 events a second. *Scenario
options* has the number of user sessions, and leaves the delays out on request. The *Report* tab of the run has the
verdict.
"""

from __future__ import annotations

from plugins.form.settings import Rehearsal
from plugins.rehearsal import rehearsal_dag

dag = rehearsal_dag(
    "rehearse_clickstream",
    description="Visitors of a web shop: clickstream to Kafka, loaded exactly once, proved by identity, reported.",
    doc_md=__doc__,
    scenario="clickstream",
    defaults=Rehearsal(topic="clickstream", rate=None),
    paused=False,
)
