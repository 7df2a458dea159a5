-- Format 6: what columns hold and where fields are, headers of events, and times that are in no calendar. What somebody's field of one of these names had for a
-- column has another name by now (consumer/sinks/duckdb/migrations/__init__.py).

ALTER TABLE events ADD COLUMN _headers STRUCT(name VARCHAR, value BLOB)[];
ALTER TABLE events ADD COLUMN _timestamp_ms BIGINT;
ALTER TABLE quarantine ADD COLUMN _timestamp_ms BIGINT;
ALTER TABLE tombstones ADD COLUMN _timestamp_ms BIGINT;

-- Schemas of keys, so that a registry outage does not stop what is known.
CREATE TABLE key_schemas (
    schema_id  INTEGER NOT NULL,
    schema     VARCHAR NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL
);

-- What the columns of events hold, and where the fields of each schema are: filled by to_6.py.
CREATE TABLE event_layout (
    document VARCHAR NOT NULL
);
CREATE TABLE schema_places (
    schema_id INTEGER NOT NULL,
    document  VARCHAR NOT NULL
);
