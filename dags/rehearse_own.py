"""One airflow Dag for each scenario of your own: a file of ``STREAMPROOF_SCENARIO_PATH``, or an entry point.

One whose name no Dag can have does not disturb the others: `recurring_faults.py` reports it.
"""

from __future__ import annotations

from plugins.form.scenarios import own_scenarios
from plugins.form.settings import Rehearsal
from plugins.rehearsal import rehearsal_dag

for name, scenario in own_scenarios()[0].items():
    dag = rehearsal_dag(
        f"rehearse_{name}",
        description=f"Your scenario {name}: to Kafka, loaded exactly once, proved by identity, reported.",
        doc_md=f"### Rehearse `{name}`\n\nMade from `{scenario}`. The *Report* tab of a run has the verdict.",
        scenario=scenario,
        defaults=Rehearsal(topic=name),
        paused=False,
    )
