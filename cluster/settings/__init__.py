"""How to reach Kafka and its registry, as typed settings: addresses, logins, and what lies in files.

Open ``kafka.py`` first; ``registry.py`` is its counterpart. ``java/`` takes a Java client's file, ``secret_files.py``
reads what settings point to, ``tls.py`` says why a handshake failed.
"""
