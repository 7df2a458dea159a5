"""Consumer groups: seeing which ones read a topic, and being a member of one.

Open ``sight.py`` to see groups, ``membership.py`` to be in one.
"""
