"""What scenarios are made of.

Columns from NumPy to Arrow, weighted draws, visits in time, identifiers, and chances without state; and what they are
held against: rules in SQL, and figures beside what is declared.
"""
