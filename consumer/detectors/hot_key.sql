-- description: A key has more than twice the events of the scenario's busiest key without the fault, and ten more.
-- needs: run
-- key_limit is that number. It is known for a run that asked for a hot key, and NULL for any other.
SELECT DISTINCT 'hot_key' AS kind, shard, sequence
FROM run_signals
WHERE key IN (SELECT key FROM run_signals WHERE key IS NOT NULL GROUP BY key HAVING count(*) > getvariable('key_limit'))
