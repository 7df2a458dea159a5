"""DuckDB as a sink: one file per topic.

Open ``warehouse.py`` first, the file and its one process; then ``batches.py``, the transaction in which rows,
quarantine, ledger and positions become one.
"""
