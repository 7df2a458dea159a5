"""Airflow's view of Streamproof: thin adapters, and nothing that works only under Airflow.

Open ``rehearsal.py`` first: it wires a Dag from ``generation.py`` and ``operators.py``. ``hooks.py`` turns Airflow
connections into the one typed setting. ``form/`` is what a run is asked for, by a person or a profile; ``pages/`` what
``streamproof_plugin.py`` puts into the Airflow UI.

Airflow imports every module of this folder in every process, each task included, unless ``.airflowignore``
says otherwise: it lists everything except ``streamproof_plugin.py``.
"""
