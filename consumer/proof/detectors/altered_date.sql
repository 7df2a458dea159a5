-- description: An event is dated after the record that carries it, by more than a minute.
-- needs: run
-- Clocks may differ a little, and a scenario may date an event when it is due.
SELECT DISTINCT 'altered.future_date' AS kind, shard, sequence
FROM run_signals
WHERE dated > recorded_at + INTERVAL 1 MINUTE
