"""Texts that people write and read: names, settings, files, and what is shown of them.

Open ``yaml_files.py`` first for what is read. ``names.py`` is what Kafka takes for a topic's name, ``nearest.py`` the
name that somebody may have meant, ``invalid.py`` what is wrong with settings in words of ours, ``visible.py`` what a
terminal may be shown.
"""
