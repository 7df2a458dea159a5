-- Whether the windows of records agree. After places_claimed.sql, with placed_sums filled: what is stored in each window.

-- Every window of either side.
CREATE OR REPLACE TEMP TABLE placed AS
WITH found AS (
    SELECT shard, partition, number, CAST(sum(records) AS BIGINT) AS records,
           sum(CAST(total AS HUGEINT)) % 18446744073709551616 AS total, bool_or(unclear) AS unclear
    FROM placed_sums GROUP BY ALL
)
SELECT shard, partition, number, coalesce(claim.records, 0) AS claimed, coalesce(found.records, 0) AS found,
       coalesce(found.unclear, FALSE) AS unclear,
       claim.records IS NOT DISTINCT FROM found.records AND claim.total IS NOT DISTINCT FROM found.total AS agrees
FROM placed_claims AS claim FULL JOIN found USING (shard, partition, number);

-- By shard: records that are stored beyond what was sent (phantoms, copies that nobody injected). As many may be in
-- windows that claim fewer; what is there beyond them has come from another place.
CREATE OR REPLACE TEMP TABLE astray AS
SELECT shard, greatest(0, beyond - coalesce(foreign_records, 0)) AS records
FROM (
    SELECT shard, sum(greatest(0, found - claimed)) FILTER (NOT unclear) AS beyond FROM placed GROUP BY shard
)
LEFT JOIN (
    SELECT stored.shard,
           sum(CASE WHEN standing = 'phantom' THEN copies
                    ELSE greatest(0, copies - 1 - CAST(copy.sequence IS NOT NULL AS INTEGER)) END) AS foreign_records
    FROM stored
    LEFT JOIN (SELECT DISTINCT shard, sequence FROM run_faults WHERE kind = 'duplicate') AS copy
        ON copy.shard = stored.shard AND copy.sequence = stored.sequence
    ANTI JOIN run_unsure ON run_unsure.shard = stored.shard AND run_unsure.sequence = stored.sequence
    GROUP BY stored.shard
) USING (shard);

-- Windows of which at least one record does not lie, or is not, as Kafka said.
CREATE OR REPLACE TEMP TABLE misplaced AS
SELECT shard, partition, number, claimed, found
FROM placed LEFT JOIN astray USING (shard)
WHERE NOT agrees AND NOT unclear AND (claimed = found OR (found > claimed AND astray.records > 0));
