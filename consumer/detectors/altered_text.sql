-- description: A text that is always one of a few is another one.
-- needs: run
SELECT DISTINCT 'altered.unknown_text' AS kind, shard, sequence
FROM run_signals
WHERE choice NOT IN (SELECT choice FROM run_choices)
