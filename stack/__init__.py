"""The local stack: a real Kafka, a real registry and Airflow, for demo, tests and benchmarks.

Open ``up.py`` first: it starts the stack, and its docstring is the protocol. ``supervisor.py`` is the process that
stays, ``down.py`` ends everything, ``status.py`` looks. ``services/`` has one file for each service, ``parts/`` gets
the Java programs that they run.
"""
