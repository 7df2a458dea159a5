"""Whether events look like those of docs/realism.md; nothing here is needed to generate them.

Open ``examine.py`` first. ``rules.py`` is what no record may violate; ``distributions.py`` holds what is declared
beside what the data shows, as the figures and curves of ``figures.py``; each ``fit_*.py`` fits one thing.
"""
