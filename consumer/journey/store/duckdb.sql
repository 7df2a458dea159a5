-- The tables of a group in a DuckDB file; consumer/journey/store/postgres/migrations says what each is for.
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);
CREATE SEQUENCE subscription_numbers;
CREATE TABLE subscriptions (
    subscription INTEGER PRIMARY KEY DEFAULT nextval('subscription_numbers'),
    application  VARCHAR NOT NULL,
    group_name   VARCHAR NOT NULL,
    fields       JSON NOT NULL,
    topic        VARCHAR NOT NULL,
    cluster_id   VARCHAR NOT NULL,
    topic_id     VARCHAR NOT NULL,
    since        TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (group_name, cluster_id, topic_id)
);
CREATE TABLE positions (
    subscription INTEGER NOT NULL,
    partition    INTEGER NOT NULL,
    first_offset BIGINT NOT NULL,
    next_offset  BIGINT NOT NULL,
    events       BIGINT NOT NULL DEFAULT 0,
    aside        BIGINT NOT NULL DEFAULT 0,
    tombstones   BIGINT NOT NULL DEFAULT 0,
    expired      BIGINT NOT NULL DEFAULT 0,
    stored_at    TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE journey_events (
    subscription    INTEGER NOT NULL,
    kafka_partition INTEGER NOT NULL,
    kafka_offset    BIGINT NOT NULL,
    produced_at     TIMESTAMPTZ,
    user_id         VARCHAR,
    event_type      VARCHAR,
    event_id        VARCHAR,
    body            JSON NOT NULL
);
CREATE TABLE analytic_totals (
    subscription INTEGER NOT NULL,
    user_id      VARCHAR NOT NULL,
    events       BIGINT NOT NULL,
    counted_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE kept_aside (
    subscription INTEGER NOT NULL,
    _partition   INTEGER NOT NULL,
    _offset      BIGINT NOT NULL,
    _timestamp   TIMESTAMPTZ,
    key          BLOB,
    value        BLOB NOT NULL,
    headers      STRUCT("name" VARCHAR, "value" BLOB)[],
    schema_id    INTEGER,
    phase        VARCHAR NOT NULL,
    error_class  VARCHAR NOT NULL,
    error        VARCHAR NOT NULL,
    crc32        BIGINT NOT NULL
);
CREATE VIEW journeys AS
SELECT group_name, topic, topic_id, user_id,
       row_number() OVER (PARTITION BY subscription, user_id ORDER BY kafka_partition, kafka_offset) AS step,
       event_type, event_id, produced_at, kafka_partition, kafka_offset, body
FROM journey_events JOIN subscriptions USING (subscription);
CREATE VIEW totals AS
SELECT group_name, topic, topic_id, fields ->> 'counted' AS event_type, user_id, events, counted_at
FROM analytic_totals JOIN subscriptions USING (subscription);
