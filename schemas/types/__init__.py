"""What a record is made of, whatever it is written as: ``tree.py`` reads a schema, ``arrow.py`` makes columns of it."""
