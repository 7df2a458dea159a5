"""What a run is to be, before its first event.

Open ``request.py`` first: one run, split into shards, as it is asked for; ``plan.py`` is the same read, which all that
follows takes. ``agreement.py`` fixes what a shard's events depend on;
``acceptance.py`` says before any broker is asked whether the scenario can do what is asked for.
"""
