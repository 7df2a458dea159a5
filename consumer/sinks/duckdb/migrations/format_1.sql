-- The tables of format 1, as they were when formats began to be numbered. Never changed: files of that format may lack
-- the younger ones of them, which are made from here before any step of to_N.sql (consumer/sinks/duckdb/migrations/__init__.py).

-- One row per record that was decoded. The columns of the Avro schema are put in front of these at the first batch.
CREATE TABLE events (
    _partition INTEGER,
    _offset    BIGINT,
    _timestamp TIMESTAMPTZ,   -- of the Kafka record; NULL when it carries none
    _key       BLOB,          -- of the Kafka record; NULL when it carries none
    _schema_id INTEGER,
    _crc32     UINTEGER,      -- zlib.crc32 of the whole framed value
    _batch     BIGINT
);

-- Which column holds which Avro field. The names differ only where a name was taken (docs/consumer.md).
CREATE TABLE event_columns (
    field       VARCHAR NOT NULL,
    column_name VARCHAR NOT NULL
);

-- One row per record that could not be decoded or stored, with everything that is needed to try again.
CREATE TABLE quarantine (
    _partition  INTEGER NOT NULL,
    _offset     BIGINT NOT NULL,
    _timestamp  TIMESTAMPTZ,
    key         BLOB,
    value       BLOB NOT NULL,
    headers     STRUCT(name VARCHAR, value BLOB)[],
    schema_id   INTEGER,      -- NULL when the value does not even name one
    phase       VARCHAR NOT NULL CHECK (phase IN ('frame', 'schema', 'decode', 'insert')),
    error_class VARCHAR NOT NULL,
    error       VARCHAR NOT NULL,
    crc32       UINTEGER NOT NULL,
    batch       BIGINT NOT NULL
);

-- Records without a value that carry an identity in a header: a rehearsal's. Others are only counted.
CREATE TABLE tombstones (
    _partition INTEGER NOT NULL,
    _offset    BIGINT NOT NULL,
    _timestamp TIMESTAMPTZ,
    key        BLOB,
    event_id   VARCHAR NOT NULL,
    batch      BIGINT NOT NULL
);

-- Where to read on: the resume point of every partition, moved by compare-and-set in the transaction of the rows.
CREATE TABLE load_offsets (
    cluster_id  VARCHAR NOT NULL,
    topic       VARCHAR NOT NULL,
    topic_id    VARCHAR NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset BIGINT NOT NULL
);

-- The ledger: one row per batch and partition. For each row, and so for any sum of rows,
-- end_offset - start_offset = events + quarantined + tombstones + absent + expired.
CREATE TABLE load_batches (
    batch        BIGINT NOT NULL,
    load_id      VARCHAR NOT NULL,   -- one run of the loader, or of `quarantine replay`
    loaded_at    TIMESTAMPTZ NOT NULL,
    partition    INTEGER NOT NULL,
    start_offset BIGINT NOT NULL,    -- half-open range [start_offset, end_offset)
    end_offset   BIGINT NOT NULL,
    events       BIGINT NOT NULL,
    quarantined  BIGINT NOT NULL,    -- negative where a replay moved records out of quarantine
    tombstones   BIGINT NOT NULL,    -- records without a value
    absent       BIGINT NOT NULL,    -- offsets that hold no record: compaction, transaction markers, aborted records
    expired      BIGINT NOT NULL,    -- offsets that retention deleted before they were read; accepted by hand
    schema_ids   INTEGER[] NOT NULL,
    crc_sum      HUGEINT NOT NULL,   -- sum of CRC-32 over the values of events and quarantined records
    value_bytes  BIGINT NOT NULL,
    fetch_s      DOUBLE NOT NULL,    -- of the whole batch, not of this partition
    decode_s     DOUBLE NOT NULL,
    insert_s     DOUBLE NOT NULL     -- up to the ledger; the commit itself is not in it
);

-- Every schema met, so that a registry outage does not stop what is known.
CREATE TABLE schema_versions (
    schema_id  INTEGER NOT NULL,
    subject    VARCHAR,               -- NULL when the registry did not say
    version    INTEGER,
    schema     VARCHAR NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL
);

CREATE TABLE manifests (
    run_id   VARCHAR NOT NULL,
    shard    INTEGER NOT NULL,
    status   VARCHAR NOT NULL,
    document VARCHAR NOT NULL,
    read_at  TIMESTAMPTZ NOT NULL
);

-- What was injected on purpose, as ranges [first, next) of sequences. unsure: the faulty record was never answered.
CREATE TABLE manifest_faults (
    run_id VARCHAR NOT NULL,
    shard  INTEGER NOT NULL,
    kind   VARCHAR NOT NULL,
    unsure BOOLEAN NOT NULL,
    first  BIGINT NOT NULL,
    next   BIGINT NOT NULL
);

CREATE TABLE audits (
    audit_id   VARCHAR NOT NULL,
    run_id     VARCHAR NOT NULL,
    audited_at TIMESTAMPTZ NOT NULL,
    verdict    VARCHAR NOT NULL CHECK (verdict IN ('PASSED', 'FAILED', 'UNKNOWN')),
    document   VARCHAR NOT NULL
);

CREATE TABLE check_results (
    audit_id   VARCHAR,
    run_id     VARCHAR NOT NULL,
    check_name VARCHAR NOT NULL,
    severity   VARCHAR NOT NULL,
    passed     BOOLEAN,                -- NULL: the check does not apply to this topic
    offending  BIGINT NOT NULL,
    detail     VARCHAR,
    checked_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE realism (
    run_id      VARCHAR NOT NULL,
    examined_at TIMESTAMPTZ NOT NULL,
    document    VARCHAR NOT NULL       -- JSON: rules, figures and curves, as `streamproof realism --json` prints them
);

CREATE TABLE publications (
    published_at TIMESTAMPTZ NOT NULL,
    run_id       VARCHAR NOT NULL,
    path         VARCHAR NOT NULL,
    rows         BIGINT NOT NULL
);

CREATE TABLE meta (
    key   VARCHAR NOT NULL,
    value VARCHAR NOT NULL
);

