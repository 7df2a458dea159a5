"""Running totals of a topic by the values of a field, published in Kafka transactions.

Open ``count.py`` first: :func:`consumer.counter.count.count` is the protocol. ``output.py`` says what an output record
is, and finds the last one; ``examine.py`` proves all of them from the topics alone.
"""
