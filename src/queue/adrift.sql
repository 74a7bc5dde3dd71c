-- src/queue/adrift.sql: what nobody carries out; as WA_QUEUE_ADRIFT in queue.h.

CREATE VIEW wa.adrift WITH (security_barrier = true) AS
SELECT m.id, m.scenario, m.state, m.reason, m.due_at, m.created_at
  FROM wa.message AS m
 WHERE (SELECT wa._level('view')) IS NOT NULL
   AND ((m.state = 'queued' OR m.state = 'unknown' AND m.due_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM wa.ready AS w WHERE w.message_id = m.id)
       AND NOT EXISTS (SELECT FROM wa.due AS w WHERE w.message_id = m.id)
        OR m.state = 'sending'
       AND NOT EXISTS (SELECT FROM wa.ready AS w WHERE w.message_id = m.id AND w.claimed_at IS NOT NULL));
COMMENT ON VIEW wa.adrift IS 'messages that say that they wait, or are on the wire, but that nobody carries out, for every level: wa_retry(id) takes them';
