"""What a run is asked for in Airflow: the form, and the profiles that stand for one.

Open ``settings.py`` first: the fields. ``scenario_settings.py`` adds the options of a scenario, ``profiles.py`` reads
the same from YAML, ``scenarios.py`` finds the scenarios, ``form_texts.py`` makes of texts what fields take.
"""
