-- What no event may break, over `checked` (examine.py): id, shard, date, product, name, shopper, moment, and of the same
-- shopper: before_name, before_product, before_moment; `held` in the basket before the event; of the same product: before_move,
-- the last of its events that filled or emptied the basket.

-- S01 eventName is productview, purchase, addtobasket or removefrombasket
SELECT id FROM checked WHERE name IS NULL OR name NOT IN ('productview', 'purchase', 'addtobasket', 'removefrombasket');

-- S02 the date is a second of UTC, written as 2020-03-25T19:05:49UTC
SELECT id FROM checked WHERE moment IS NULL;

-- S03 a product is 15 small letters and digits, a shopper 8
SELECT id FROM checked WHERE NOT coalesce(
    regexp_full_match(product, '[a-z0-9]{15}') AND regexp_full_match(shopper, '[a-z0-9]{8}'), false);

-- S04 a product is added from its page: the shopper's event before is the view of it
SELECT id FROM checked WHERE name = 'addtobasket'
    AND (before_name IS DISTINCT FROM 'productview' OR before_product IS DISTINCT FROM product);

-- S05 what is bought or removed is in the basket: it was added, and neither bought nor removed since
SELECT id FROM checked WHERE name IN ('purchase', 'removefrombasket') AND before_move IS DISTINCT FROM 'addtobasket';

-- S06 what is in the basket is not added again
SELECT id FROM checked WHERE name = 'addtobasket' AND before_move = 'addtobasket';

-- S07 who buys, buys all that is in the basket, before anything else
SELECT id FROM checked WHERE name <> 'purchase' AND before_name = 'purchase' AND held > 0;

-- S08 a shopper's events go forward in time
SELECT id FROM checked WHERE moment < before_moment;

-- S09 events of a shard are in order of time
SELECT id FROM (SELECT id, moment, lag(moment) OVER (PARTITION BY shard ORDER BY id) AS before_in_shard FROM checked)
WHERE moment < before_in_shard;

-- S10 a shopper's events come from one shard
SELECT min(id) FROM checked GROUP BY shopper HAVING count(DISTINCT shard) > 1;

-- S11 nothing is dated later than it was sent
SELECT id FROM checked WHERE moment > getvariable('sent_at');
