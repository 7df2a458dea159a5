"""Avro in Confluent's frame: open ``codec.py`` first.

``by_columns.py`` and ``lockstep.py`` write and read the types that pyruhvro lacks; ``strict.py`` is the reader that
names what is wrong. The frame is ``schemas/formats/frame.py``.
"""
