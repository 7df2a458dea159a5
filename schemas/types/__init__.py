"""What a record is made of, whatever it is written as: open ``tree.py`` first, which reads the text of a schema.

``node.py`` is one type, ``logical.py``, ``defaults.py`` and ``limits.py`` are what it may be, ``remarks.py`` is what is
to be said about it, ``arrow.py`` makes columns of it.
"""
