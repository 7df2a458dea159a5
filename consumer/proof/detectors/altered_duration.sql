-- description: A number that is never below zero is.
-- needs: run
SELECT DISTINCT 'altered.negative_duration' AS kind, shard, sequence
FROM run_signals
WHERE duration < 0
