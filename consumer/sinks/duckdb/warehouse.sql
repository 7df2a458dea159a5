-- The tables of one warehouse: one DuckDB file per topic. Run once, when the file is created.
-- docs/consumer.md explains each table.

-- One row per record that was decoded. The columns of the Avro schema are put in front of these at the first batch.
CREATE TABLE events (
    _partition INTEGER,
    _offset    BIGINT,
    _timestamp TIMESTAMPTZ,   -- of the Kafka record; NULL when it carries none, or one that is in _timestamp_ms
    _key       BLOB,          -- of the Kafka record; NULL when it carries none
    _schema_id INTEGER,
    _crc32     UINTEGER,      -- zlib.crc32 of the whole framed value
    _batch     BIGINT,
    _headers   STRUCT(name VARCHAR, value BLOB)[], -- of the Kafka record, in their order; NULL when it has none
    _timestamp_ms BIGINT      -- a time before the year 1 or after 9999, in milliseconds since 1970; NULL for all others
);

-- Which columns hold values of which Avro field (docs/consumer.md says when the names differ).
CREATE TABLE event_columns (
    field       VARCHAR NOT NULL,
    column_name VARCHAR NOT NULL
);

-- What the columns of events hold, as JSON: their types, with the fields and branches in each member. One row.
CREATE TABLE event_layout (
    document VARCHAR NOT NULL
);

-- Where the fields of each schema are in them, as JSON: positions of columns and members, in the order of the schema.
CREATE TABLE schema_places (
    schema_id INTEGER NOT NULL,
    document  VARCHAR NOT NULL
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
    batch       BIGINT NOT NULL,
    _timestamp_ms BIGINT      -- as in events
);

-- Records without a value that carry an identity in a header: a rehearsal's. Others are only counted.
CREATE TABLE tombstones (
    _partition INTEGER NOT NULL,
    _offset    BIGINT NOT NULL,
    _timestamp TIMESTAMPTZ,
    key        BLOB,
    event_id   VARCHAR NOT NULL,
    batch      BIGINT NOT NULL,
    _timestamp_ms BIGINT      -- as in events
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
    first_seen TIMESTAMPTZ NOT NULL,
    format     VARCHAR DEFAULT 'avro' -- of the values that name it
);

-- The schemas of keys that were decoded, for the same reason.
CREATE TABLE key_schemas (
    schema_id  INTEGER NOT NULL,
    schema     VARCHAR NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL
);

-- What is newest below is the highest number, given in the transaction that adds the row: a clock may be set back.

CREATE TABLE manifests (
    run_id     VARCHAR NOT NULL,
    shard      INTEGER NOT NULL,
    status     VARCHAR NOT NULL,
    document   VARCHAR NOT NULL,
    read_at    TIMESTAMPTZ NOT NULL,
    run_number BIGINT NOT NULL DEFAULT 0,   -- of the run: given when its first manifest was kept
    PRIMARY KEY (run_id, shard)
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
    number     BIGINT NOT NULL,
    audit_id   VARCHAR NOT NULL,
    run_id     VARCHAR NOT NULL,
    audited_at TIMESTAMPTZ NOT NULL,
    batch      BIGINT NOT NULL,          -- the last one that was loaded
    verdict    VARCHAR NOT NULL CHECK (verdict IN ('PASSED', 'FAILED', 'UNKNOWN')),
    document   VARCHAR NOT NULL
);

CREATE TABLE check_results (
    number     BIGINT NOT NULL,          -- of the round of checks
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
    number      BIGINT NOT NULL,
    run_id      VARCHAR NOT NULL,
    examined_at TIMESTAMPTZ NOT NULL,
    document    VARCHAR NOT NULL       -- JSON: rules, figures and curves, as `streamproof realism --json` prints them
);

CREATE TABLE publications (
    number       BIGINT NOT NULL,
    published_at TIMESTAMPTZ NOT NULL,
    run_id       VARCHAR NOT NULL,
    path         VARCHAR NOT NULL,
    rows         BIGINT NOT NULL,
    audit_id     VARCHAR               -- of the audit that permitted it; NULL in files of before
);

-- What each publication consists of: a file that was changed since is not carried on.
CREATE TABLE published_files (
    publication BIGINT NOT NULL,       -- number of the publication
    run_id      VARCHAR NOT NULL,
    file        VARCHAR NOT NULL,
    sha256      VARCHAR NOT NULL,
    rows        BIGINT NOT NULL
);

CREATE TABLE meta (
    key   VARCHAR NOT NULL,
    value VARCHAR NOT NULL
);

-- Event identity in SQL, as schemas/identity.py writes it: NULL for an id that is not one of ours.
CREATE MACRO is_event_id(id) AS
    regexp_full_match(CAST(id AS VARCHAR), '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-8[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}');

CREATE MACRO event_run(id) AS
    CASE WHEN is_event_id(id)
         THEN lower(substr(CAST(id AS VARCHAR), 1, 8) || substr(CAST(id AS VARCHAR), 10, 4)) END;

CREATE MACRO event_shard(id) AS
    CASE WHEN is_event_id(id)
         THEN TRY_CAST('0x' || substr(CAST(id AS VARCHAR), 16, 3) AS INTEGER) END;

CREATE MACRO event_sequence(id) AS
    CASE WHEN is_event_id(id)
         THEN CAST(TRY_CAST('0x' || substr(CAST(id AS VARCHAR), 20, 4) || substr(CAST(id AS VARCHAR), 25, 12) AS UBIGINT)
                   & 4611686018427387903 AS BIGINT) END;
