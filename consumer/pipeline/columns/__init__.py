"""Which columns of a place hold what, found before the first row is read: open ``find.py`` first.

``identities.py`` tells rows apart, ``mapping.py`` finds the fields of an event, ``taking.py`` is what both come to.
"""
