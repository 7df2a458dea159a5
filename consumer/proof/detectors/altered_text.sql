-- description: A text that is always one of a few is another one.
-- needs: run
-- Where no text is declared, run_choices is empty and NULL NOT IN an empty set is true.
SELECT DISTINCT 'altered.unknown_text' AS kind, shard, sequence
FROM run_signals
WHERE choice IS NOT NULL AND choice NOT IN (SELECT choice FROM run_choices)
