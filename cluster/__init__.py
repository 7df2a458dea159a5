"""Reaching Kafka and the Schema Registry: settings, topics, and the errors that everything above raises.

Open ``topics.py`` first. ``errors.py`` draws the whole error tree; ``connection.py`` is the one typed setting, and
``settings/`` what it is made of.
"""
