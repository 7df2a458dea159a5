"""Show profiles that cannot be used as an import error in the airflow UI.

Airflow takes every Dag of a file away when the file has an import error, so `recurring.py` must not raise it.
"""

from __future__ import annotations

from cluster.errors import Misconfigured
from plugins.profiles import profiles_dir, read_profiles

faults = read_profiles(profiles_dir())[1]
if faults:
    raise Misconfigured("profiles without a Dag: " + "; ".join(map(str, faults)))
