"""The staged copy: the rows of files, read once, kept so that row n is there at once.

Open ``make.py`` first, which makes a copy or finds it. ``writing`` and ``copy`` write and read one, ``aside`` has what
was set aside, ``digests`` says by which name a copy is known, ``sweep`` takes old ones away.
"""
