"""Avro in Confluent's frame: open ``codec.py`` first.

``frame.py`` is the five bytes before a value, ``strict.py`` the reader that names what is wrong, ``rows.py`` the way
out for types that the fast encoder lacks.
"""
