-- description: How often playback stalled, by network type.
-- needs: events.details.network_type, events.details.buffering_incidents, events.details.play_duration, events.details.bandwidth
SELECT _run_id AS run_id, details.network_type AS network, count(*) AS plays,
       round(100.0 * count(*) FILTER (details.buffering_incidents > 0) / count(*), 2) AS plays_with_buffering_percent,
       round(avg(details.buffering_incidents), 3) AS incidents_per_play,
       round(sum(details.buffering_incidents) * 3600.0 / nullif(sum(details.play_duration), 0), 3) AS incidents_per_hour,
       round(median(details.bandwidth), 1) AS median_bandwidth_mbps
FROM events
WHERE details IS NOT NULL
GROUP BY ALL
ORDER BY run_id, plays DESC, network
