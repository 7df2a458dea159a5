"""Format 1: subscriptions, positions, what Journey and Analytic keep, and what was set aside."""

from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the tables in the schema of the search path."""
    # fields: which fields of an event the rows depend on.
    op.execute("""
        CREATE TABLE subscriptions (
            subscription integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            application  text NOT NULL,
            group_name   text NOT NULL,
            fields       jsonb NOT NULL,
            topic        text NOT NULL,
            cluster_id   text NOT NULL,
            topic_id     text NOT NULL,
            since        timestamptz NOT NULL DEFAULT now(),
            UNIQUE (group_name, cluster_id, topic_id)
        )
    """)
    # The offsets of [first_offset, next_offset) that are none of the counts hold no record.
    op.execute("""
        CREATE TABLE positions (
            subscription integer NOT NULL REFERENCES subscriptions,
            partition    integer NOT NULL,
            first_offset bigint NOT NULL,
            next_offset  bigint NOT NULL,
            events       bigint NOT NULL DEFAULT 0,
            aside        bigint NOT NULL DEFAULT 0,
            tombstones   bigint NOT NULL DEFAULT 0,
            expired      bigint NOT NULL DEFAULT 0,
            stored_at    timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (subscription, partition)
        )
    """)
    op.execute("""
        CREATE TABLE journey_events (
            subscription    integer NOT NULL,
            kafka_partition integer NOT NULL,
            kafka_offset    bigint NOT NULL,
            produced_at     timestamptz,
            user_id         text,
            event_type      text,
            event_id        text,
            body            jsonb NOT NULL,
            PRIMARY KEY (subscription, kafka_partition, kafka_offset)
        )
    """)
    op.execute(
        "CREATE INDEX journey_of_a_user ON journey_events (subscription, user_id, kafka_partition, kafka_offset)"
    )
    op.execute("""
        CREATE TABLE analytic_totals (
            subscription integer NOT NULL,
            user_id      text NOT NULL,
            events       bigint NOT NULL,
            counted_at   timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (subscription, user_id)
        )
    """)
    op.execute("""
        CREATE TABLE kept_aside (
            subscription integer NOT NULL,
            _partition   integer NOT NULL,
            _offset      bigint NOT NULL,
            _timestamp   timestamptz,
            key          bytea,
            value        bytea NOT NULL,
            headers      jsonb,
            schema_id    integer,
            phase        text NOT NULL,
            error_class  text NOT NULL,
            error        text NOT NULL,
            crc32        bigint NOT NULL,
            PRIMARY KEY (subscription, _partition, _offset)
        )
    """)
    # A user's events have one key, and so one partition, in which offsets say the order.
    op.execute("""
        CREATE VIEW journeys AS
        SELECT group_name, topic, topic_id, user_id,
               row_number() OVER (
                   PARTITION BY subscription, user_id ORDER BY kafka_partition, kafka_offset
               ) AS step,
               event_type, event_id, produced_at, kafka_partition, kafka_offset, body
        FROM journey_events JOIN subscriptions USING (subscription)
    """)
    op.execute("""
        CREATE VIEW totals AS
        SELECT group_name, topic, topic_id, fields ->> 'counted' AS event_type, user_id, events, counted_at
        FROM analytic_totals JOIN subscriptions USING (subscription)
    """)
