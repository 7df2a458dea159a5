"""What a demo does, from nothing to a verdict. Open ``rehearsal.py`` first: ``streamproof demo``.

``own_stack.py`` has what a demo starts, and stops again.
"""
