"""People on a web site: pages they view, links and buttons they click, videos they play (docs/realism.md).

Open ``scenario.py`` first. ``site`` is what pages there are, ``paths`` where a person goes next, ``people`` who comes;
``examine`` holds data against docs/realism.md.
"""
