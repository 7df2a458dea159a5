"""How to reach Kafka and its registry, as typed settings: addresses, logins, and what lies in files.

Open ``kafka.py`` first; ``registry.py`` is its counterpart. ``properties.py`` takes a Java client's file,
``keystores.py`` and ``secret_files.py`` read what such settings point to, ``tls.py`` says why a handshake failed.
"""
