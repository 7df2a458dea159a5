"""The records of a run against the claims about them, wherever the records lie.

Open ``comparison.py`` first. ``relations.py`` says what it needs: six relations, of a warehouse or of any records.
``place_proof.py`` is about where Kafka put each record, ``balance.py`` the plain counts that no finding may
contradict.
"""
