"""Files and folders of them: Parquet, CSV, JSON lines. Open ``place.py`` first.

``found.py`` says which files are data, ``parquet.py``, ``csv_rows.py`` and ``json_rows.py`` how one is read.
"""
