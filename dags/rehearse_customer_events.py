"""
### Rehearse `customer_events`

Generates realistic `customer_events` on a Kafka topic for a bounded time, loads them into DuckDB exactly once, and
proves by identity that every acknowledged event arrived, once and unaltered.

Press **Trigger** in Airflow, fill in the form, and watch: the *Report* tab of the run has the verdict. A green run is
published for readers; a red one keeps its data and publishes nothing.
"""

from __future__ import annotations

from plugins.rehearsal import rehearsal_dag

dag = rehearsal_dag(
    "rehearse_customer_events",
    description="A media service: customer_events to Kafka, loaded exactly once, proved by identity, reported.",
    doc_md=__doc__,
    paused=False,
)
