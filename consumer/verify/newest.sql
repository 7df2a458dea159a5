-- What is newest is a running number, given in the transaction that adds the row, and nothing is taken out of these
-- tables: the numbers of each begin at 1 and have no gap. One sentence a row, with the proof that it belongs to.
SELECT 'verdicts' AS proof,
       format('audits: number {} of run {} does not follow {}', number, run_id, before) AS fault
FROM (SELECT number, run_id, lag(number, 1, 0) OVER (ORDER BY number) AS before FROM audits)
WHERE number <> before + 1
UNION ALL
SELECT 'verdicts', format('audits: number {} of run {} says batch {}, which was not loaded', number, run_id, batch)
FROM audits WHERE batch > (SELECT coalesce(max(batch), 0) FROM load_batches)
UNION ALL
SELECT 'checks', format('check_results: number {} of run {} does not follow {}', number, run_id, before)
FROM (
    SELECT number, any_value(run_id) AS run_id, lag(number, 1, 0) OVER (ORDER BY number) AS before
    FROM check_results GROUP BY number
)
WHERE number <> before + 1
UNION ALL
SELECT 'checks', format('check_results: number {} of run {} has several runs, audits or times', number, any_value(run_id))
FROM check_results
GROUP BY number HAVING count(DISTINCT (run_id, audit_id, checked_at)) > 1
UNION ALL
SELECT 'publications', format('publication {} does not follow {}', number, before)
FROM (SELECT number, lag(number, 1, 0) OVER (ORDER BY number) AS before FROM publications)
WHERE number <> before + 1
UNION ALL
SELECT 'publications', format('publication {} rests on audit {}, which is not there', number, audit_id)
FROM publications ANTI JOIN audits USING (audit_id)
WHERE audit_id IS NOT NULL
UNION ALL
SELECT DISTINCT 'publications', format('published_files: {} is of run {}, which was never published', file, run_id)
FROM published_files ANTI JOIN publications USING (run_id)
UNION ALL
SELECT 'manifests', format('run {} has {} numbers: its shards are of several', run_id, count(DISTINCT run_number))
FROM manifests GROUP BY run_id HAVING count(DISTINCT run_number) > 1
ORDER BY ALL
