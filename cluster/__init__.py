"""Reaching Kafka and the Schema Registry: settings, topics, reading, and the errors that everything above raises.

Open ``topics.py`` first. ``reading.py`` reads a topic up to fixed ends, as the columns of ``records.py``.
``errors.py`` draws the whole error tree; ``connection.py`` is the one typed setting, and ``settings/`` what it is
made of. ``text/`` is about what people write and read, ``machine/`` about disks and locks, ``local.py`` about this
checkout's state.
"""
