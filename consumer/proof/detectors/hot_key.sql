-- description: A key has more events than the scenario's busiest key can have without the fault.
-- needs: run
-- key_limit is how many that are, after the sample in the manifest. It is known for a run that asked for a hot key, and NULL for any other.
SELECT DISTINCT 'hot_key' AS kind, shard, sequence
FROM run_signals
WHERE key IN (SELECT key FROM run_signals WHERE key IS NOT NULL GROUP BY key HAVING count(*) > getvariable('key_limit'))
