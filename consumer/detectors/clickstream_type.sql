-- description: The type of a click is none of the pages of the shop, nor the empty end of a session.
-- needs: events.event_type, events.eventtimestamp, run
SELECT DISTINCT 'altered.unknown_text' AS kind, _shard AS shard, _sequence AS sequence
FROM run_events
WHERE event_type NOT IN ('home_page', 'product_catalog', 'product_detail', 'add_to_cart', 'remove_from_cart', 'order',
                         'order_checkout', '')
