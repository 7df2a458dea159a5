-- What no event may break, over `checked` (examine.py): the columns of the contract, id, shard, kind (of the event), and of
-- the event before in the session: before_kind, before_at, before_url, before_target, before_query, before_element. A `view`
-- is one page viewed in one session: viewed_url, and of earlier events in it: videos, deepest.

-- J01 event_type is one of the eight
SELECT id FROM checked WHERE kind IS NULL OR kind NOT IN ('PageViewed', 'ButtonClicked', 'UrlClicked', 'VideoPlayed',
    'Scrolled', 'Searched', 'FormSubmitted', 'SignedUp');

-- J02 a session is of one person, on one device
SELECT min(id) FROM checked GROUP BY session_id HAVING count(DISTINCT user_id) > 1 OR count(DISTINCT device) > 1;

-- J03 events of a session are numbered from 1 without a gap, and the first one views a page
SELECT id FROM checked WHERE number <> coalesce(before_number, 0) + 1 OR (number = 1 AND kind <> 'PageViewed');

-- J04 events of a session go forward in time, and session_second is the time since its first one
SELECT id FROM checked WHERE occurred_at <= before_at
    OR session_second <> date_diff('second', session_began_at, occurred_at);

-- J05 what is done is done on the page that was viewed last
SELECT id FROM checked WHERE page_url IS DISTINCT FROM viewed_url;

-- J06 a page is reached by a link that leads to it, by a search for it, by signing up, or as the first of a session
SELECT id FROM checked WHERE kind = 'PageViewed' AND number > 1 AND NOT coalesce(
    (before_kind = 'UrlClicked' AND before_target = page_url)
    OR (before_kind = 'Searched' AND page_url = '/search?q=' || replace(before_query, ' ', '+'))
    OR (before_kind = 'SignedUp' AND page_url = '/welcome'), false);

-- J07 a link leads to another page, and is followed
SELECT id FROM checked WHERE (kind = 'UrlClicked' AND target_url = page_url)
    OR (before_kind IN ('UrlClicked', 'Searched') AND kind <> 'PageViewed');

-- J08 the referrer is the page before, and the first page of a session has none
SELECT id FROM checked WHERE kind = 'PageViewed' AND referrer IS DISTINCT FROM before_url;

-- J09 a page has one title, and one video of one length, or none; a video belongs to one page
SELECT min(id) FROM checked GROUP BY page_url HAVING count(DISTINCT page_title) > 1
    OR count(DISTINCT (video.video_id, video.duration_s)) FILTER (video IS NOT NULL) > 1
UNION ALL
SELECT min(id) FROM checked WHERE video IS NOT NULL GROUP BY video.video_id HAVING count(DISTINCT page_url) > 1;

-- J10 videos are played on pages that have one (features, lessons, the demo), once in a view of the page
SELECT id FROM checked WHERE kind = 'VideoPlayed'
    AND (NOT regexp_full_match(page_url, '/(features|learn)/.+|/demo') OR videos > 0);

-- J11 a video is played for at least a second, not longer than it is, nor than since the event before
SELECT id FROM checked WHERE video IS NOT NULL AND NOT coalesce(video.watched_s BETWEEN 1 AND video.duration_s
    AND video.watched_s <= date_diff('second', before_at, occurred_at), false);

-- J12 completed exactly from 95 percent on
SELECT id FROM checked WHERE video.completed <> (video.watched_s >= 0.95 * video.duration_s);

-- J13 a page is scrolled down, further than before in the same view
SELECT id FROM checked WHERE scroll_percent NOT BETWEEN 1 AND 100 OR scroll_percent <= deepest;

-- J14 what an event is about is there exactly for its type
SELECT id FROM checked WHERE (element IS NOT NULL) <> (kind IN ('ButtonClicked', 'UrlClicked', 'FormSubmitted'))
    OR (target_url IS NOT NULL) <> (kind = 'UrlClicked') OR (search_query IS NOT NULL) <> (kind = 'Searched')
    OR (scroll_percent IS NOT NULL) <> (kind = 'Scrolled') OR (video IS NOT NULL) <> (kind = 'VideoPlayed')
    OR (kind <> 'PageViewed' AND referrer IS NOT NULL);

-- J15 a person signs up once at most, right after the form for it
SELECT id FROM checked WHERE kind = 'SignedUp'
    AND (before_kind IS DISTINCT FROM 'FormSubmitted' OR before_element IS DISTINCT FROM 'sign-up-form')
UNION ALL
SELECT max(id) FROM checked WHERE kind = 'SignedUp' GROUP BY user_id HAVING count(*) > 1;

-- J16 a person has one session at a time, and one shard
SELECT id FROM (SELECT id, session_id, number, lag(session_id) OVER (PARTITION BY user_id ORDER BY id) AS before_session
                FROM checked)
WHERE session_id <> before_session AND number <> 1
UNION ALL
SELECT min(id) FROM checked GROUP BY user_id HAVING count(DISTINCT shard) > 1;

-- J17 events of a shard are in order of time
SELECT id FROM (SELECT id, occurred_at, lag(occurred_at) OVER (PARTITION BY shard ORDER BY id) AS before_in_shard
                FROM checked)
WHERE occurred_at < before_in_shard;

-- J18 nothing is dated later than it was sent
SELECT id FROM checked WHERE occurred_at > getvariable('sent_at');
