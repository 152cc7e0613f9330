-- A contract may tell one message in several parts (PostScheduled of each platform), whose ids nothing else knows: an endpoint may
-- ask to start after one. Few deliveries are such parts, so the index costs the others nothing.
create index delivery_part on delivery.delivery (message_id) where message_id <> event_id and message_id <> id;
