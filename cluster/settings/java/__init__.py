"""A Java client's configuration as our settings: for anyone who brings a properties file of a Kafka application.

Open ``client_file.py`` first: it reads a file and has it translated. ``properties_format.py`` and ``jaas.py`` are the
grammars, ``known_keys.py`` what clients know; ``brokers.py``, ``login.py``, ``tls.py`` and ``registry_login.py``
translate, and ``keystores.py`` reads the stores that a file points to.
"""
