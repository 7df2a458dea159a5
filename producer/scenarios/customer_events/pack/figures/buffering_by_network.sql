-- title: Buffering by network
-- description: Share of plays that stalled at least once, and stalls per play.
-- kind: percent
-- bar: stalled
-- beside: per play
-- needs: events.details.network_type, events.details.buffering_incidents
SELECT details.network_type AS network, count(*) AS plays,
       100.0 * count(*) FILTER (details.buffering_incidents > 0) / count(*) AS stalled,
       avg(details.buffering_incidents) AS "per play"
FROM run_events
WHERE details IS NOT NULL
GROUP BY 1
ORDER BY 3 DESC, 1
