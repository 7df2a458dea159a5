"""Avro in Confluent's frame: open ``codec.py`` first.

``tree.py`` is a schema as everything else reads it, ``frame.py`` the five bytes before a value. ``strict.py`` is the
reader that names what is wrong, ``arrow_types.py`` and ``rows.py`` are the way from and to columns.
"""
