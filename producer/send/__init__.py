"""Sending: events generated and encoded ahead, handed over when due, and counted by what Kafka reports.

Open ``sending.py`` first: the loop. ``supply.py`` fills it from a thread, ``pacing.py`` says how many may go,
``delivery.py`` keeps the ledger of delivery reports, ``watching.py`` and ``meter.py`` the figures.
"""
