"""JSON values: open ``writing.py`` first.

``reading.py`` is the way back, ``strict.py`` the reader that names what is wrong, ``texts.py`` how times, decimals and
bytes look, ``json_schema.py`` what a registry is given, ``breaking.py`` the values that nobody can read.
"""
