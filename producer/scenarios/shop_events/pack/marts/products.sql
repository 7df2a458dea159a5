-- description: What was done with each product, the most viewed first.
-- needs: events.eventName, events.productId
SELECT
    _run_id AS run_id,
    "productId" AS product_id,
    count(*) FILTER ("eventName" = 'productview') AS viewed,
    count(*) FILTER ("eventName" = 'addtobasket') AS added,
    count(*) FILTER ("eventName" = 'removefrombasket') AS removed,
    count(*) FILTER ("eventName" = 'purchase') AS bought
FROM events
GROUP BY _run_id, "productId"
ORDER BY run_id, viewed DESC, product_id
