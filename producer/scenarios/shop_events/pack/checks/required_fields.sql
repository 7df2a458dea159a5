-- severity: blocking
-- description: Date, product, name and shopper are never empty.
-- needs: events.date, events.productId, events.eventName, events.userId, run
SELECT offending, format('{}: {} of {} empty', field, offending, total) AS detail
FROM (
    UNPIVOT (
        SELECT
            count(*) AS total,
            count(*) FILTER (coalesce("date", '') = '') AS "date",
            count(*) FILTER (coalesce("productId", '') = '') AS product,
            count(*) FILTER (coalesce(CAST("eventName" AS VARCHAR), '') = '') AS name,
            count(*) FILTER (coalesce("userId", '') = '') AS shopper
        FROM run_events
    ) ON "date", product, name, shopper INTO NAME field VALUE offending
)
WHERE offending > 0
