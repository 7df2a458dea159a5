"""Loading a topic into its warehouse exactly once, and proving it.

Open ``load/load.py`` first: its main function is the load protocol. The folders follow the data:

1. ``load/``: from the topic, record by record, to what is stored
2. ``sinks/``: where it is stored; ``sinks/duckdb/warehouse.py`` is the file that everything below works on
3. ``proof/``: the audit, its verdict, detectors and checks
4. ``publish/``: what readers see of it, and only after it was proved
5. ``report/``: the page of a run
6. ``verify/``: a warehouse or a publication, proved from itself
7. ``live/``: what is seen of all this while it goes on
"""
