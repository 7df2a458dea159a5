"""Two applications of a stream of events, each a consumer group of any number of processes: Journey and Analytic.

Open ``consume.py`` first: ``consume`` starts the instances of a group and watches them. ``instance.py`` is what one of
them does: positions come from the store when a partition is assigned, and move with the rows, in one statement.
``events.py`` says what is made of an event, ``store/`` where it is kept.
"""
