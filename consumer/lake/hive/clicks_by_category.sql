-- What is counted: over clicks (those of the hours that are computed) and articles (the newest record of each article).
-- A click on an article without a record keeps its place, without category and publisher.
SELECT
    articles.category_id,
    articles.publisher_id,
    clicks.click_deviceGroup AS device_group,
    count(*) AS clicks,
    count(DISTINCT clicks.user_id) AS users,
    count(DISTINCT clicks.session_id) AS sessions,
    clicks.date,
    clicks.hour
FROM clicks
LEFT JOIN articles ON articles.article_id = clicks.click_article_id
GROUP BY articles.category_id, articles.publisher_id, clicks.click_deviceGroup, clicks.date, clicks.hour
