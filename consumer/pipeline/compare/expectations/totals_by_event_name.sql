-- description: the newest record of a counter (key totals, a column for each name) has as many of each eventName as were sent
-- proves: the totals of the newest record of {place} are the counts of all {events} events that were sent, for each eventName
WITH newest AS (
    FROM sink WHERE CAST(_key AS VARCHAR) = 'totals' ORDER BY _partition, _offset DESC LIMIT 1
),
stored AS (
    SELECT name, CAST(total AS BIGINT) AS total
    FROM newest UNPIVOT (
        total FOR name IN (COLUMNS(lambda c: c NOT IN ('_partition', '_offset', '_timestamp', '_key', 'receiveAt')))
    )
)
SELECT coalesce(sent.name, stored.name) AS eventName, sent.events AS sent, stored.total AS stored
FROM (SELECT CAST(eventName AS VARCHAR) AS name, count(*) AS events FROM truth WHERE eventName IS NOT NULL GROUP BY 1) AS sent
FULL JOIN stored ON stored.name = sent.name
WHERE coalesce(sent.events, 0) <> coalesce(stored.total, 0)
