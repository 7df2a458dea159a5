-- severity: blocking
-- description: No event is dated after the Kafka record that carries it, by more than 1 s of clock difference.
-- needs: events.timestamp, run
SELECT count(*) AS offending,
       format('up to {} s ahead', round(max(epoch(timestamp) - epoch(_timestamp)), 1)) AS detail
FROM run_events
WHERE timestamp > _timestamp + INTERVAL 1 SECOND
HAVING count(*) > 0
