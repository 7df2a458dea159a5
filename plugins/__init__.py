"""Airflow's view of Streamproof: thin adapters, and nothing that works only under Airflow.

Open ``rehearsal.py`` first: it wires a Dag from ``operators.py``. ``hooks.py`` turns Airflow connections into
the one typed setting, ``profiles.py`` reads ``profiles/*.yaml``, and ``streamproof_plugin.py`` puts the report
into the Airflow UI (``report_app.py`` serves it, ``run_sight.py`` reads what Airflow knows of a run).

Airflow imports every module of this folder in every process, each task included, unless ``.airflowignore``
says otherwise: it lists everything except ``streamproof_plugin.py``.
"""
