"""PostgreSQL as a sink: one schema per topic, in any database.

Open ``warehouse.py`` first, the schema and how it is made. ``values/`` turns columns into COPY's text and back;
``proving.py`` gives a copy to those who prove.
"""
