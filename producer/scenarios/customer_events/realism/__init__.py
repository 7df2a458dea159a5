"""Whether events look like those of docs/realism.md; nothing here is needed to generate them.

Open ``examine.py`` first. ``rules.py`` is what no record may violate; ``distributions.py`` holds what is declared
beside what the data shows, as figures and curves; each ``fit_*.py`` fits one thing.
"""
