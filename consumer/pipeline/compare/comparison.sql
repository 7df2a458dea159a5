-- What of the identities counts, after ../proof/evidence/identities.sql, left_out, differing, and not_told_apart: the
-- records of a ledger whose identity is another's, or that Kafka holds no more.

-- Sent on purpose so that no table can hold them, or not at all: there or not, either is right.
CREATE OR REPLACE TEMP TABLE excused AS
SELECT shard, sequence FROM run_faults WHERE kind IN ('dropped', 'tombstone') OR starts_with(kind, 'undecodable')
UNION
FROM not_told_apart;

DELETE FROM differing WHERE (shard, sequence) IN (SELECT (shard, sequence) FROM excused);

CREATE OR REPLACE TEMP TABLE missing AS
FROM missing ANTI JOIN excused USING (shard, sequence) ANTI JOIN left_out USING (shard, sequence);

-- An event that was sent twice on purpose may be there twice.
UPDATE stored SET copies = stored.copies - 1
FROM (SELECT DISTINCT shard, sequence FROM run_faults WHERE kind = 'duplicate') AS twice
WHERE twice.shard = stored.shard AND twice.sequence = stored.sequence AND stored.copies > 1;

-- What should be there, counted without a look at what is.
CREATE OR REPLACE TEMP VIEW meant AS
FROM (SELECT shard, numbers.sequence FROM sure_ranges, range(first, next) AS numbers(sequence))
ANTI JOIN excused USING (shard, sequence)
ANTI JOIN left_out USING (shard, sequence);
