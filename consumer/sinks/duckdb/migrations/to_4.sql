-- Format 4: which audit permitted a publication, so that one that came after it is told without a clock.

ALTER TABLE publications ADD COLUMN audit_id VARCHAR;
