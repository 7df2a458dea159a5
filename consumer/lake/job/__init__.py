"""What runs inside Spark, with the lake's own Python: ``python -m consumer.lake.job``. Open ``topic.py`` first.

``topic.py`` is one topic: a Structured Streaming query whose every batch is decoded, written, moved and listed.
``task.py`` is what the workers do, in one pass over Kafka; ``shelf.py`` knows the schemas, ``columns.py`` what they
become, ``beginning.py`` where to go on and what to sweep.
"""
