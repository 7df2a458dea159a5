"""Who and what there is, the same in all shards of a seed but for the customers.

Open ``population.py`` first, the customers; ``catalogue.py`` is what they can watch, ``daytime.py`` when they are
there, ``tables.py`` the facts that all of it has to agree with.
"""
