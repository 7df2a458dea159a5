"""Reaching Kafka and the Schema Registry: settings, topics, reading, and the errors that everything above raises.

Open ``topics.py`` first. ``reading.py`` reads a topic up to fixed ends, as the columns of ``records.py``. ``errors.py``
draws the whole error tree; ``connection.py`` is the one typed setting, and ``settings/`` what it is made of.
``disk.py`` and ``turns.py`` are what everything above knows of disks and of locks.
"""
