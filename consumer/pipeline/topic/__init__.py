"""The records of any topic as rows, whatever their format: open ``rows.py`` first."""
