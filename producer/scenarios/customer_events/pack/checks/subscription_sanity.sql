-- severity: blocking
-- description: No event is dated before the subscription of its customer began.
-- needs: events.timestamp, events.subscription.start_date, run
SELECT count(*) AS offending,
       format('up to {} days early', max(date_diff('day', CAST(timestamp AS DATE), subscription.start_date))) AS detail
FROM run_events
WHERE CAST(timestamp AS DATE) < subscription.start_date
HAVING count(*) > 0
