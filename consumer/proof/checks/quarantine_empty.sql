-- severity: warning
-- description: No record of the topic had to be put into quarantine.
SELECT count(*) AS offending, format('{} in phase {}', error_class, phase) AS detail
FROM quarantine
GROUP BY error_class, phase
