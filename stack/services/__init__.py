"""The services of the local stack, one file each.

Open ``component.py`` first: what a file has to hold so that `up` offers what it describes. ``service.py`` says what a
service is.
"""
