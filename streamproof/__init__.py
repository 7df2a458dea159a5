"""The ``streamproof`` command: a thin edge over the packages. ``cli.py`` lists the commands; one module each."""
