-- Format 2: what is newest is a running number, given in the transaction that adds the row. Times are only shown: a
-- clock may be set back. Rows of before are numbered by their times, as nothing else tells.

CREATE TEMP TABLE audits_before AS FROM audits;
DROP TABLE audits;
CREATE TABLE audits (
    number     BIGINT NOT NULL,
    audit_id   VARCHAR NOT NULL,
    run_id     VARCHAR NOT NULL,
    audited_at TIMESTAMPTZ NOT NULL,
    batch      BIGINT NOT NULL,
    verdict    VARCHAR NOT NULL CHECK (verdict IN ('PASSED', 'FAILED', 'UNKNOWN')),
    document   VARCHAR NOT NULL
);
INSERT INTO audits
SELECT row_number() OVER (ORDER BY audited_at, audit_id), audit_id, run_id, audited_at,
       coalesce((SELECT max(batch) FROM load_batches WHERE loaded_at <= audited_at), 0), verdict, document
FROM audits_before;
DROP TABLE audits_before;

CREATE TEMP TABLE check_results_before AS FROM check_results;
DROP TABLE check_results;
CREATE TABLE check_results (
    number     BIGINT NOT NULL,
    audit_id   VARCHAR,
    run_id     VARCHAR NOT NULL,
    check_name VARCHAR NOT NULL,
    severity   VARCHAR NOT NULL,
    passed     BOOLEAN,
    offending  BIGINT NOT NULL,
    detail     VARCHAR,
    checked_at TIMESTAMPTZ NOT NULL
);
INSERT INTO check_results
SELECT dense_rank() OVER (ORDER BY checked_at), * FROM check_results_before;
DROP TABLE check_results_before;

CREATE TEMP TABLE realism_before AS FROM realism;
DROP TABLE realism;
CREATE TABLE realism (
    number      BIGINT NOT NULL,
    run_id      VARCHAR NOT NULL,
    examined_at TIMESTAMPTZ NOT NULL,
    document    VARCHAR NOT NULL
);
INSERT INTO realism SELECT row_number() OVER (ORDER BY examined_at), * FROM realism_before;
DROP TABLE realism_before;

CREATE TEMP TABLE publications_before AS FROM publications;
DROP TABLE publications;
CREATE TABLE publications (
    number       BIGINT NOT NULL,
    published_at TIMESTAMPTZ NOT NULL,
    run_id       VARCHAR NOT NULL,
    path         VARCHAR NOT NULL,
    rows         BIGINT NOT NULL
);
INSERT INTO publications SELECT row_number() OVER (ORDER BY published_at, path), * FROM publications_before;
DROP TABLE publications_before;

-- A run has the number that its first manifest was kept under. The key: a second row for a shard once made the figures
-- of an audit nonsense; the audit reads all of them from the control topic again.
CREATE TEMP TABLE manifests_before AS FROM manifests;
DROP TABLE manifests;
CREATE TABLE manifests (
    run_id     VARCHAR NOT NULL,
    shard      INTEGER NOT NULL,
    status     VARCHAR NOT NULL,
    document   VARCHAR NOT NULL,
    read_at    TIMESTAMPTZ NOT NULL,
    run_number BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, shard)
);
INSERT INTO manifests
SELECT run_id, shard, status, document, read_at, run_number
FROM manifests_before
JOIN (
    SELECT run_id, row_number() OVER (ORDER BY max(TRY_CAST(document ->> 'started_at' AS TIMESTAMPTZ)) NULLS FIRST, run_id)
               AS run_number
    FROM manifests_before GROUP BY run_id
) USING (run_id)
QUALIFY row_number() OVER (PARTITION BY run_id, shard ORDER BY read_at DESC, document) = 1;
DROP TABLE manifests_before;
