"""Watching topics while events flow: what is in each stage, who reads, and what came last, as Kafka tells it.

Open ``poller.py`` first: one asks for all who look. ``questions.py`` says what and how often, ``compose.py`` puts it
together, ``snapshot.py`` is what is seen. Nothing here proves anything: counts of offsets take in records of others and
markers of transactions. The audit proves.
"""
