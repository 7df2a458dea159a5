"""Which column holds which field of a record, in any store: open ``judge.py`` first."""
