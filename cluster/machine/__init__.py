"""What everything above knows of the machine that it runs on.

Open ``turns.py`` first: locks that the kernel takes back. ``disk.py`` is what a disk says when it takes no more,
``child.py`` what a process and the one that started it have in common.
"""
