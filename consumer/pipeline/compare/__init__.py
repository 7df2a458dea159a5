"""What arrived against what was sent: ``arrival.py`` takes rows, ``retelling.py`` tells events, the others compare.

``comparison.py`` is about identities and their order, ``differences.py`` about values, ``expecting.py`` about sums.
"""
