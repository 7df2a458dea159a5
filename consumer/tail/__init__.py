"""Looking at the records of a topic, decoded, whatever their format (docs/tail.md).

Open ``tail.py`` first. ``start.py`` is where reading begins and ends, ``reveal.py`` makes of a value what a person
reads, ``wanted.py`` says which records are shown. Nothing is stored, and no consumer group is touched.
"""
