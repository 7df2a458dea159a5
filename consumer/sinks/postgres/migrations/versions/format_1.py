"""Format 1: the tables of a DuckDB warehouse (``consumer/sinks/duckdb/warehouse.sql``, which explains each column).

The same names and columns, so that one is copied into the other as it is. What PostgreSQL has on top: keys where the
protocol has them, a sequence that numbers batches for loaders that work side by side, and ``event_types``.
"""

from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the tables in the schema of the search path."""
    op.execute("""
        CREATE TABLE events (
            _partition integer NOT NULL,
            _offset    bigint NOT NULL,
            _timestamp timestamptz,
            _key       bytea,
            _schema_id integer,
            _crc32     bigint,
            _batch     bigint,
            PRIMARY KEY (_partition, _offset)
        )
    """)
    op.execute("""
        CREATE TABLE event_columns (
            field       text NOT NULL,
            column_name text NOT NULL
        )
    """)
    # What each column of events is, beside ours: its whole name, where PostgreSQL had to cut it, and its type as
    # values.types.described writes it. A column of type jsonb does not say it itself.
    op.execute("""
        CREATE TABLE event_types (
            column_name text NOT NULL PRIMARY KEY,
            name        text NOT NULL,
            type        jsonb NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE quarantine (
            _partition  integer NOT NULL,
            _offset     bigint NOT NULL,
            _timestamp  timestamptz,
            key         bytea,
            value       bytea NOT NULL,
            headers     jsonb,
            schema_id   integer,
            phase       text NOT NULL CHECK (phase IN ('frame', 'schema', 'decode', 'insert')),
            error_class text NOT NULL,
            error       text NOT NULL,
            crc32       bigint NOT NULL,
            batch       bigint NOT NULL,
            PRIMARY KEY (_partition, _offset)
        )
    """)
    op.execute("""
        CREATE TABLE tombstones (
            _partition integer NOT NULL,
            _offset    bigint NOT NULL,
            _timestamp timestamptz,
            key        bytea,
            event_id   text NOT NULL,
            batch      bigint NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE load_offsets (
            cluster_id  text NOT NULL,
            topic       text NOT NULL,
            topic_id    text NOT NULL,
            partition   integer NOT NULL PRIMARY KEY,
            next_offset bigint NOT NULL
        )
    """)
    op.execute("CREATE SEQUENCE batch_numbers AS bigint")
    # In which order batches were committed: the next number, given under a lock that is held until the commit.
    op.execute("CREATE TABLE batch_order (batch bigint NOT NULL PRIMARY KEY, number bigint NOT NULL UNIQUE)")
    op.execute("""
        CREATE TABLE load_batches (
            batch        bigint NOT NULL,
            load_id      text NOT NULL,
            loaded_at    timestamptz NOT NULL,
            partition    integer NOT NULL,
            start_offset bigint NOT NULL,
            end_offset   bigint NOT NULL,
            events       bigint NOT NULL,
            quarantined  bigint NOT NULL,
            tombstones   bigint NOT NULL,
            absent       bigint NOT NULL,
            expired      bigint NOT NULL,
            schema_ids   jsonb NOT NULL,
            crc_sum      numeric(39,0) NOT NULL,
            value_bytes  bigint NOT NULL,
            fetch_s      double precision NOT NULL,
            decode_s     double precision NOT NULL,
            insert_s     double precision NOT NULL,
            PRIMARY KEY (batch, partition)
        )
    """)
    op.execute("""
        CREATE TABLE schema_versions (
            schema_id  integer NOT NULL,
            subject    text,
            version    integer,
            schema     text NOT NULL,
            first_seen timestamptz NOT NULL,
            format     text DEFAULT 'avro'
        )
    """)
    _tables_of_the_proof()


def _tables_of_the_proof() -> None:
    op.execute("""
        CREATE TABLE manifests (
            run_id     text NOT NULL,
            shard      integer NOT NULL,
            status     text NOT NULL,
            document   text NOT NULL,
            read_at    timestamptz NOT NULL,
            run_number bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (run_id, shard)
        )
    """)
    op.execute("""
        CREATE TABLE manifest_faults (
            run_id text NOT NULL,
            shard  integer NOT NULL,
            kind   text NOT NULL,
            unsure boolean NOT NULL,
            first  bigint NOT NULL,
            next   bigint NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE audits (
            number     bigint NOT NULL,
            audit_id   text NOT NULL,
            run_id     text NOT NULL,
            audited_at timestamptz NOT NULL,
            batch      bigint NOT NULL,
            verdict    text NOT NULL CHECK (verdict IN ('PASSED', 'FAILED', 'UNKNOWN')),
            document   text NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE check_results (
            number     bigint NOT NULL,
            audit_id   text,
            run_id     text NOT NULL,
            check_name text NOT NULL,
            severity   text NOT NULL,
            passed     boolean,
            offending  bigint NOT NULL,
            detail     text,
            checked_at timestamptz NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE realism (
            number      bigint NOT NULL,
            run_id      text NOT NULL,
            examined_at timestamptz NOT NULL,
            document    text NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE publications (
            number       bigint NOT NULL,
            published_at timestamptz NOT NULL,
            run_id       text NOT NULL,
            path         text NOT NULL,
            rows         bigint NOT NULL,
            audit_id     text
        )
    """)
    op.execute("""
        CREATE TABLE published_files (
            publication bigint NOT NULL,
            run_id      text NOT NULL,
            file        text NOT NULL,
            sha256      text NOT NULL,
            rows        bigint NOT NULL
        )
    """)
    op.execute("CREATE TABLE meta (key text NOT NULL, value text NOT NULL)")
