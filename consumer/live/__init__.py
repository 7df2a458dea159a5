"""Watching topics while events flow: what is in each stage, who reads, and what came last, as Kafka tells it.

``snapshot.py`` says what is seen. Nothing here proves anything: counts of offsets take in records of others and markers
of transactions. The audit proves.
"""
