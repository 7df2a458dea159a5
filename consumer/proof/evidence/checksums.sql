-- What the stored bytes sum up to, beside what is claimed; after identities.sql.

-- Events whose columns say something else than their records; whoever can tell fills it (../inside/column_proof.py).
CREATE OR REPLACE TEMP TABLE columns_differ (shard INTEGER, sequence BIGINT, partition INTEGER, "offset" BIGINT);

-- Windows of sequences, with what is claimed and what is stored. A sum can only be compared where every
-- acknowledged event of the window is stored, and where no two copies of one differ.
CREATE OR REPLACE TEMP TABLE compared AS
WITH sums AS (
    SELECT shard, (sequence - claim.first_sequence) // size AS number, count(*) AS present,
           sum(CAST(crc32 AS HUGEINT)) AS found, bool_or(copies_differ) AS mixed
    FROM stored
    JOIN (SELECT shard, first_sequence FROM run_shards) AS claim USING (shard)
    JOIN (SELECT shard, min(size) AS size FROM run_windows GROUP BY shard) AS sizes USING (shard)
    WHERE standing = 'acknowledged'
    GROUP BY ALL
),
unsure AS (
    SELECT shard, (sequence - first_sequence) // size AS number, count(*) AS unsure
    FROM (SELECT shard, sequence FROM run_unsure
          UNION
          SELECT shard, sequence FROM run_faults WHERE kind = 'dropped')
    JOIN (SELECT shard, first_sequence FROM run_shards) USING (shard)
    JOIN (SELECT shard, min(size) AS size FROM run_windows GROUP BY shard) USING (shard)
    GROUP BY ALL
)
SELECT windows.shard, windows.first, windows.next, windows.claimed,
       coalesce(sums.found, 0) AS found,
       coalesce(sums.present, 0) AS present,
       coalesce(sums.mixed, FALSE) OR coalesce(sums.present, 0) + coalesce(unsure.unsure, 0) < windows.next - windows.first
           AS incomparable
FROM (SELECT *, (first - first_sequence) // size AS number
      FROM run_windows JOIN (SELECT shard, first_sequence FROM run_shards) USING (shard)) AS windows
LEFT JOIN sums USING (shard, number)
LEFT JOIN unsure USING (shard, number);
