"""A scenario without code: a YAML file names a schema and says how the values of its fields arise (docs/scenarios.md).

Open ``scenario.py`` first. ``rules`` is what the file may say, ``document`` reads and checks it against the schema,
``defaults`` fills in what it does not say, ``values`` draws values, ``columns`` lays them out as the schema's columns.
"""

from producer.scenarios.declared.scenario import DeclaredScenario, declared_scenario

__all__ = ["DeclaredScenario", "declared_scenario"]
