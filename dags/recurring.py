"""One airflow Dag for each file of `profiles/` that has a `schedule:`.

A profile that cannot be used does not disturb the others: `recurring_faults.py` reports it.
"""

from __future__ import annotations

from pathlib import Path

from plugins.form.profiles import profiles_dir, read_profiles
from plugins.generation import Workers
from plugins.rehearsal import rehearsal_dag

for name, profile in read_profiles(profiles_dir())[0].items():
    if profile.schedule is not None:
        dag = rehearsal_dag(
            f"recurring_{name}",
            description=profile.description or f"Rehearses {Path(profile.scenario).stem} by profiles/{name}.yaml.",
            doc_md=f"### {name}\n\n{profile.description}\n\nMade from `profiles/{name}.yaml`, where its settings are.",
            scenario=profile.scenario,
            defaults=profile.rehearsal(),
            schedule=profile.schedule,
            tags=("recurring",),
            workers=Workers(profile.queue, profile.pool, profile.warehouse_queue),
        )
