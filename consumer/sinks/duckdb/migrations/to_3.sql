-- Format 3: what each publication wrote, so that a file that was changed since is not carried on.

CREATE TABLE published_files (
    publication BIGINT NOT NULL,
    run_id      VARCHAR NOT NULL,
    file        VARCHAR NOT NULL,
    sha256      VARCHAR NOT NULL,
    rows        BIGINT NOT NULL
);
