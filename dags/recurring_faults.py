"""Show profiles and scenarios that cannot be used as an import error in the airflow UI.

Airflow takes every Dag of a file away when the file has an import error, so neither `recurring.py` nor
`rehearse_own.py` may raise it.
"""

from __future__ import annotations

from cluster.errors import Misconfigured
from plugins.form.profiles import profiles_dir, read_profiles
from plugins.form.scenarios import own_scenarios

faults = [*read_profiles(profiles_dir())[1], *own_scenarios()[1]]
if faults:
    raise Misconfigured("profiles or scenarios without a Dag: " + "; ".join(map(str, faults)))
