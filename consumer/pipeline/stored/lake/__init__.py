"""A lake of ours, and tables of Delta Lake: files of which a list says which count. Open ``place.py`` first.

``held.py`` holds the batches against what their list says of them; ``delta.py`` asks Delta's log for its files.
"""
