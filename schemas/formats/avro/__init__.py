"""Avro in Confluent's frame: open ``codec.py`` first.

``strict.py`` is the reader that names what is wrong, ``rows.py`` the way out for types that the fast encoder lacks. The
frame is ``schemas/formats/frame.py``.
"""
