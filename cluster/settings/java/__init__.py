"""A Java client's configuration as our settings: for anyone who brings a properties file of a Kafka application.

Open ``client_file.py`` first: it translates a file. ``keystores.py`` reads the stores that it points to.
"""
