"""Files to try a replay with: a news portal's clicks and articles, in the public format of Globo.com's.

Open ``files.py`` first: it writes them, hour by hour in bounded memory. ``catalogue.py`` makes the articles,
``visits.py`` the sessions of a part of an hour, ``readers.py`` what stays the same of a user. ``rules.sql`` says what
holds of them all. The same seed and sizes give the same bytes.
"""

from producer.samples.files import Sizes, Written, write_samples

__all__ = ["Sizes", "Written", "write_samples"]
