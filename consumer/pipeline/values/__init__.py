"""Values: ``alike.py`` says when two are the same, ``likeness.py`` what became of one that is not."""
