-- One statement for each rule of docs/realism.md: the ids of the events that break it.
-- Tables: checked (events: the contract's columns, times in UTC), catalogue (content structs), episodes, models, cities,
-- qualities, plan_qualities, device_qualities, device_networks; views: flat, action, previous, consecutive.
-- Ids of a shard sort by sequence; their first 18 characters name run and shard.

-- R01 event_type is content_play, search or browse
SELECT event_id FROM checked WHERE event_type NOT IN ('content_play', 'search', 'browse');

-- R02 a session is of one customer, on one device, in one place
SELECT min(event_id) FROM checked GROUP BY session_id
HAVING count(DISTINCT user_id) > 1 OR count(DISTINCT device) > 1 OR count(DISTINCT location) > 1;

-- R03 a customer has one home, one subscription since one day with the same services, and at most two devices
SELECT min(event_id) FROM checked GROUP BY user_id
HAVING count(DISTINCT location) > 1 OR count(DISTINCT device) > 2
    OR count(DISTINCT (subscription.start_date, subscription.connected_services)) > 1;

-- R04 device type, system, system version and model exist together
SELECT event_id FROM checked WHERE (device.type, device.os, device.os_version, device.model) NOT IN
    (SELECT (type, os, os_version, model) FROM models);

-- R05 the city lies in its region, its country and its time zone
SELECT event_id FROM checked WHERE (location.country, location.region, location.city, location.timezone) NOT IN
    (SELECT (country, region, city, timezone) FROM cities);

-- R06 a content id is in the catalogue, with the same attributes everywhere
SELECT event_id FROM checked LEFT JOIN catalogue ON catalogue.content.id = checked.content.id
WHERE checked.content IS NOT NULL AND checked.content IS DISTINCT FROM catalogue.content;

-- R07 only series have seasons and episodes, counted from 1
SELECT event_id FROM checked WHERE content IS NOT NULL AND NOT CASE WHEN content.type = 'series'
    THEN coalesce(content.season >= 1 AND content.episode >= 1, FALSE)
    ELSE content.season IS NULL AND content.episode IS NULL END;

-- R08 a play has content and details; nothing else has details; a search has no content
SELECT event_id FROM checked WHERE (details IS NOT NULL) <> (event_type = 'content_play')
    OR (event_type = 'content_play' AND content IS NULL) OR (event_type = 'search' AND content IS NOT NULL);

-- R09 time played is above 0 and at most the content's duration
SELECT event_id FROM checked WHERE details.play_duration NOT BETWEEN 1 AND content.duration;

-- R10 the percentage is time played over the content's duration, to two decimals
SELECT event_id FROM checked WHERE abs(details.play_percentage - 100 * details.play_duration / content.duration) > 0.00501
    OR details.play_percentage NOT BETWEEN 0 AND 100;

-- R11 completed exactly from 95 percent on
SELECT event_id FROM checked WHERE details.completed <> (details.play_percentage >= 95);

-- R12 the quality is within the plan, the device and the bandwidth
SELECT event_id FROM flat WHERE quality > plan_quality OR quality > device_quality OR bandwidth < needed_bandwidth;

-- R13 the network fits the device type, and stays the same through a session
SELECT event_id FROM flat WHERE network IS NOT NULL AND (device_type, network) NOT IN
    (SELECT (type, network) FROM device_networks)
UNION ALL
SELECT min(event_id) FROM flat GROUP BY session_id HAVING count(DISTINCT network) > 1;

-- R14 buffering is not negative, bandwidth and speed are positive
SELECT event_id FROM checked WHERE details.buffering_incidents < 0 OR details.bandwidth <= 0
    OR details.playback_speed <= 0;

-- R15 actions are in order of time, none after the event
SELECT event_id FROM action WHERE "at" > event_at OR "at" < before_at;

-- R16 a play begins with play and ends with stop at the time of the event; elsewhere there is at most a click
SELECT event_id FROM checked WHERE event_type = 'content_play' AND (actions[1].action_type <> 'play'
    OR actions[-1].action_type <> 'stop' OR actions[-1].timestamp <> timestamp OR len(actions) < 2)
UNION ALL
SELECT event_id FROM action WHERE event_type = 'content_play' AND ((kind = 'play') <> (place = 1)
    OR (kind = 'stop') <> (place = number) OR kind = 'click')
UNION ALL
SELECT event_id FROM action WHERE event_type <> 'content_play' AND (kind <> 'click' OR number > 1);

-- R17 a pause is followed by its resume, as much later as the pause lasted; paused says whether there was one
SELECT event_id FROM action WHERE (kind = 'pause' AND (next_kind IS DISTINCT FROM 'resume'
    OR date_diff('ms', "at", next_at) <> 1000 * duration)) OR (kind = 'resume' AND before_kind IS DISTINCT FROM 'pause')
UNION ALL
SELECT event_id FROM checked WHERE details.paused <> list_contains([a.action_type FOR a IN actions], 'pause');

-- R18 a quality change changes the quality, within plan and device, and leads to the quality at the end
SELECT event_id FROM action WHERE kind = 'quality_change' AND (old_quality = new_quality
    OR old_quality > least(plan_quality, device_quality) OR new_quality > least(plan_quality, device_quality))
UNION ALL
SELECT event_id FROM (SELECT event_id, old_quality, quality, new_quality, place,
    lead(old_quality) OVER later AS next_old, row_number() OVER later AS turn
    FROM action WHERE kind = 'quality_change' WINDOW later AS (PARTITION BY event_id ORDER BY place))
WHERE new_quality <> coalesce(next_old, quality);

-- R19 a speed change changes the speed and leads to the speed at the end
SELECT event_id FROM action WHERE kind = 'speed_change' AND (old_speed = new_speed OR new_speed <> speed);

-- R20 old and new quality only in a quality change, old and new speed only in a speed change, duration of play and pause
SELECT event_id FROM action WHERE (old_quality IS NULL) <> (kind <> 'quality_change')
    OR (new_quality IS NULL) <> (kind <> 'quality_change') OR (old_speed IS NULL) <> (kind <> 'speed_change')
    OR (new_speed IS NULL) <> (kind <> 'speed_change') OR (duration IS NULL) <> (kind NOT IN ('play', 'pause'));

-- R21 the time between play and stop, less the pauses, at the speeds in force, is the time played (to 1.5 s)
SELECT event_id FROM (SELECT event_id, any_value(played) AS played, any_value(speed) AS speed, any_value(event_at) AS stopped,
    min("at") FILTER (kind = 'play') AS started, coalesce(sum(duration) FILTER (kind = 'pause'), 0) AS paused,
    max("at") FILTER (kind = 'speed_change') AS changed, max(old_speed) AS old_speed
    FROM action WHERE event_type = 'content_play' GROUP BY event_id)
WHERE abs(played - CASE WHEN changed IS NULL THEN (date_diff('ms', started, stopped) / 1000 - paused) * speed
    ELSE date_diff('ms', started, changed) / 1000 * old_speed + date_diff('ms', changed, stopped) / 1000 * speed END) > 1.5;

-- R22 recommendations are numbered from 1, distinct, in the catalogue, and none is the title itself
SELECT event_id FROM checked WHERE len(recommendations) > 0 AND (
    [r.position FOR r IN recommendations] <> range(1, len(recommendations) + 1)::INTEGER[]
    OR len(list_distinct([r.content_id FOR r IN recommendations])) <> len(recommendations)
    OR list_contains([r.content_id FOR r IN recommendations], content.id))
UNION ALL
SELECT event_id FROM (SELECT event_id, unnest(recommendations).content_id AS id FROM checked)
WHERE id NOT IN (SELECT content.id FROM catalogue);

-- R23 at most one recommendation is clicked, the click is an action of the event, and what follows is that title
SELECT event_id FROM (SELECT event_id, actions, [r.content_id FOR r IN recommendations IF r.clicked] AS clicked,
    lead(event_id) OVER session AS following, lead(content.id) OVER session AS next_id
    FROM checked WINDOW session AS (PARTITION BY session_id ORDER BY event_id))
WHERE len(clicked) > 1 OR (len(clicked) = 1) <> list_contains([a.action_type FOR a IN actions], 'click')
    OR (len(clicked) = 1 AND following IS NOT NULL AND clicked[1] IS DISTINCT FROM next_id);

-- R24 search_history holds the session's searches up to the event, oldest first, a search itself being the last
SELECT event_id FROM (SELECT event_id, event_type, timestamp, search_history,
    lag(search_history) OVER session AS earlier
    FROM checked WINDOW session AS (PARTITION BY session_id ORDER BY event_id))
WHERE search_history[:len(search_history) - (event_type = 'search')::INTEGER] <> coalesce(earlier, [])
    OR (event_type = 'search' AND (search_history[-1].timestamp <> timestamp OR len(search_history) = 0));

-- R25 a search id is unique, and the same query finds the same number of titles, at least one
SELECT event_id FROM (SELECT event_id, count(*) OVER (PARTITION BY search_history[-1].search_id) AS same_id,
    min(search_history[-1].results_count) OVER query AS fewest, max(search_history[-1].results_count) OVER query AS most
    FROM checked WHERE event_type = 'search' WINDOW query AS (PARTITION BY search_history[-1].query))
WHERE same_id > 1 OR fewest <> most OR fewest < 1;

-- R26 nothing happens before the content's release (to the year) or before the subscription began
SELECT event_id FROM checked WHERE content.release_year >= year(timestamp) OR subscription.start_date > timestamp::DATE;

-- R27 no billing exactly for the free plan; connected services are distinct
SELECT event_id FROM checked WHERE (subscription.billing_cycle = 'none') <> (subscription.plan = 'free')
    OR len(list_distinct(subscription.connected_services)) <> len(subscription.connected_services);

-- R28 a customer does one thing at a time: an event begins after the customer's event before it has ended
SELECT event_id FROM previous WHERE began_at < before_at;

-- R29 events of a shard are in order of event time
SELECT event_id FROM (SELECT event_id, timestamp,
    lag(timestamp) OVER (PARTITION BY left(event_id, 18) ORDER BY event_id) AS before FROM checked)
WHERE timestamp < before;

-- R30 nothing is dated later than it was sent
SELECT event_id FROM checked WHERE timestamp > getvariable('sent_at');

-- R31 a plan changes between sessions, to the next one above or below, and not twice within 44 days
SELECT event_id FROM (SELECT event_id, rank, before_rank, session_id, before_session, timestamp,
    lag(before_at) OVER (PARTITION BY user_id ORDER BY event_id) AS before_last_change
    FROM consecutive WHERE rank <> before_rank)
WHERE session_id = before_session OR abs(rank - before_rank) > 1 OR timestamp < before_last_change + INTERVAL 44 DAY;

-- R32 after an episode, the next play of the session, if of the same series, is that episode until completed, then the following
SELECT event_id FROM (SELECT event_id, content.id AS id, lag(content.id) OVER session AS before_id,
    lag(details.completed) OVER session AS before_completed
    FROM checked WHERE event_type = 'content_play' WINDOW session AS (PARTITION BY session_id ORDER BY event_id))
JOIN episodes AS own USING (id) JOIN episodes AS before ON before.id = before_id
WHERE own.series = before.series
    AND own.id <> CASE WHEN before_completed THEN before.following ELSE before.id END;

-- R33 a search finds what is opened next: by its title, the last word of it, or its genre
SELECT event_id FROM (SELECT event_id, event_type, search_history[-1].query AS query,
    lead(content) OVER session AS found
    FROM checked WINDOW session AS (PARTITION BY session_id ORDER BY event_id))
WHERE event_type = 'search' AND found IS NOT NULL
    AND query NOT IN (lower(found.title), string_split(lower(found.title), ' ')[-1], found.genre);

-- R34 a quality change leads to what the bandwidth holds
SELECT event_id FROM action JOIN qualities ON qualities.rank = new_quality WHERE action.bandwidth < qualities.bandwidth;
