-- src/queue/stat.sql: figures, as PostgreSQL's own statistics are: views with one row per thing.
--
-- Here, and not with the other views, since names of states stand nowhere else.
-- All but wa.stat_queue read what the triggers of src/queue/figure.sql have counted, so a
-- month of a large ledger is a few thousand rows, and it says what counting the
-- ledger would say.  A condition on the day is what makes them quick.

CREATE FUNCTION wa._advice(state text, reason text)
RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'wa_sql_advice';
COMMENT ON FUNCTION wa._advice(text, text) IS
'what one can do about messages with this state and reason, in the office''s language; NULL: nothing';

CREATE FUNCTION wa._quantile(steps text[], n bigint[], fraction double precision)
RETURNS interval
LANGUAGE c IMMUTABLE
AS 'MODULE_PATHNAME', 'wa_sql_quantile';
COMMENT ON FUNCTION wa._quantile(text[], bigint[], double precision) IS
'the time within which this fraction of messages stays, as percentile_disc has it, from the steps of wa.figure (sent_after, delivered_after) and how many took each: the middle of the step, which is never more than a tenth off; NULL: there are none';

CREATE VIEW wa._figure AS
SELECT day, scenario, provider, figure, detail, n, last FROM wa.figure
UNION ALL
SELECT day, scenario, provider, figure, detail, n, last FROM wa.figure_change;
COMMENT ON VIEW wa._figure IS 'wa.figure with what is to be added to it';

CREATE VIEW wa.figures WITH (security_barrier = true) AS
SELECT f.day, nullif(f.scenario, '') AS scenario, nullif(f.provider, '') AS provider, f.figure AS state,
       nullif(f.detail, '') AS reason, sum(f.n)::bigint AS messages
  FROM wa._figure AS f
 WHERE (SELECT wa._level('view')) IS NOT NULL
   AND f.figure IN ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown', 'held', 'skipped', 'cancelled', 'superseded', 'expired')
 GROUP BY f.day, f.scenario, f.provider, f.figure, f.detail
HAVING sum(f.n) <> 0;
COMMENT ON VIEW wa.figures IS 'messages in figures, for every level: how many were made on a day of the office, by scenario, provider, and the state and reason that they have now';
COMMENT ON COLUMN wa.figures.scenario IS 'NULL: sent by hand';
COMMENT ON COLUMN wa.figures.provider IS 'the last one that had them; NULL: none had, though one may be demanded, which wa.stat_queue names';

CREATE VIEW wa.stat_delivery WITH (security_barrier = true) AS
SELECT d.*, round(100.0 * d.delivered / nullif(d.sent, 0), 1) AS delivery_rate
  FROM (SELECT f.day, nullif(f.scenario, '') AS scenario, nullif(f.provider, '') AS provider,
               coalesce(sum(f.n) FILTER (WHERE f.figure IN ('queued', 'sending', 'sent', 'delivered', 'read', 'failed',
                   'unknown', 'held', 'skipped', 'cancelled', 'superseded', 'expired')), 0)::bigint AS made,
               coalesce(sum(f.n) FILTER (WHERE f.figure IN ('queued', 'sending')), 0)::bigint AS waiting,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'was_sent'), 0)::bigint AS sent,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'was_delivered'), 0)::bigint AS delivered,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'was_read'), 0)::bigint AS read,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'failed'), 0)::bigint AS failed,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'unknown'), 0)::bigint AS unknown,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'held'), 0)::bigint AS held,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'skipped'), 0)::bigint AS skipped,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'cancelled'), 0)::bigint AS cancelled,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'superseded'), 0)::bigint AS superseded,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'expired'), 0)::bigint AS expired,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'attempts'), 0)::bigint AS attempts,
               coalesce(sum(f.n) FILTER (WHERE f.figure = 'repeats'), 0)::bigint AS repeats,
               wa._quantile(array_agg(f.detail) FILTER (WHERE f.figure = 'sent_after'),
                   array_agg(f.n) FILTER (WHERE f.figure = 'sent_after'), 0.5) AS sent_after_median,
               wa._quantile(array_agg(f.detail) FILTER (WHERE f.figure = 'sent_after'),
                   array_agg(f.n) FILTER (WHERE f.figure = 'sent_after'), 0.95) AS sent_after_p95,
               wa._quantile(array_agg(f.detail) FILTER (WHERE f.figure = 'delivered_after'),
                   array_agg(f.n) FILTER (WHERE f.figure = 'delivered_after'), 0.5) AS delivered_after_median,
               wa._quantile(array_agg(f.detail) FILTER (WHERE f.figure = 'delivered_after'),
                   array_agg(f.n) FILTER (WHERE f.figure = 'delivered_after'), 0.95) AS delivered_after_p95
          FROM wa._figure AS f
         WHERE f.figure NOT IN ('attempt', 'pricing')
         GROUP BY f.day, f.scenario, f.provider) AS d
 WHERE d.made <> 0 AND (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.stat_delivery IS 'what became of messages, for every level: one row per day of the office on which they were made, scenario and provider';
COMMENT ON COLUMN wa.stat_delivery.scenario IS 'NULL: sent by hand';
COMMENT ON COLUMN wa.stat_delivery.provider IS 'the last one that had them; NULL: none had';
COMMENT ON COLUMN wa.stat_delivery.made IS 'all of them';
COMMENT ON COLUMN wa.stat_delivery.waiting IS 'queued or on the wire';
COMMENT ON COLUMN wa.stat_delivery.sent IS 'accepted by a provider, whatever came of it; of one that came to the phone, or has the state sent, that is so even where its time is not known';
COMMENT ON COLUMN wa.stat_delivery.delivered IS 'of those: came to the phone, as the provider says; read counts, too';
COMMENT ON COLUMN wa.stat_delivery.read IS 'of those: were read';
COMMENT ON COLUMN wa.stat_delivery.failed IS 'have this state now, as those that follow';
COMMENT ON COLUMN wa.stat_delivery.delivery_rate IS 'delivered in percent of sent; a provider without webhooks tells of none';
COMMENT ON COLUMN wa.stat_delivery.attempts IS 'HTTP requests that were made for them';
COMMENT ON COLUMN wa.stat_delivery.repeats IS 'how often they were sent again although an earlier attempt may have been accepted';
COMMENT ON COLUMN wa.stat_delivery.sent_after_median IS 'half of them were accepted within this time from the change they tell of, or from their making by hand, or from the time wished for; never more than a tenth off, as the other times, if it is a millisecond or more';
COMMENT ON COLUMN wa.stat_delivery.sent_after_p95 IS 'so were 95 of 100';
COMMENT ON COLUMN wa.stat_delivery.delivered_after_median IS 'half of the delivered ones came to the phone within this time, from then';
COMMENT ON COLUMN wa.stat_delivery.delivered_after_p95 IS 'so did 95 of 100';

CREATE VIEW wa.stat_failure WITH (security_barrier = true) AS
SELECT f.day, f.scenario, f.provider, f.state, f.reason, f.messages, wa._advice(f.state, f.reason) AS advice
  FROM wa.figures AS f
 WHERE f.state IN ('failed', 'unknown', 'held', 'skipped', 'expired');
COMMENT ON VIEW wa.stat_failure IS 'messages that reached nobody, or may not have, for every level: one row per day, scenario, provider, state and reason';
COMMENT ON COLUMN wa.stat_failure.advice IS 'what one can do about them, in the office''s language';

CREATE VIEW wa.stat_cost WITH (security_barrier = true) AS
SELECT f.day, nullif(f.scenario, '') AS scenario, nullif(f.provider, '') AS provider,
       nullif(split_part(f.detail, '/', 1), '') AS category, nullif(split_part(f.detail, '/', 2), '') AS type,
       nullif(split_part(f.detail, '/', 3), '') AS billable, sum(f.n)::bigint AS messages
  FROM wa._figure AS f
 WHERE f.figure = 'pricing' AND (SELECT wa._level('view')) IS NOT NULL
 GROUP BY f.day, f.scenario, f.provider, f.detail
HAVING sum(f.n) <> 0;
COMMENT ON VIEW wa.stat_cost IS 'what providers say of the price of messages (Meta does, in its webhooks), for every level: one row per day, scenario, provider and kind of price';
COMMENT ON COLUMN wa.stat_cost.category IS 'as the provider calls it, such as utility or marketing; at most 36 bytes, "-" for "/"';
COMMENT ON COLUMN wa.stat_cost.type IS 'as the provider calls it, such as regular or free_customer_service; as above';
COMMENT ON COLUMN wa.stat_cost.billable IS 'true or false; NULL: it does not say';

CREATE VIEW wa.stat_queue WITH (security_barrier = true) AS
SELECT coalesce(m.provider, m.wanted_provider) AS provider, m.scenario, m.state, m.reason, count(*) AS messages,
       min(m.created_at) AS oldest, min(m.due_at) AS next_due_at
  FROM (SELECT r.message_id FROM wa.ready AS r
        UNION SELECT d.message_id FROM wa.due AS d
        UNION SELECT u.message_id FROM wa.unattended AS u) AS w
  JOIN wa.message AS m ON m.id = w.message_id
 WHERE (m.state IN ('queued', 'sending', 'held') OR m.state = 'unknown' AND m.due_at IS NOT NULL)
   AND (SELECT wa._level('view')) IS NOT NULL
 GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW wa.stat_queue IS 'what waits now, is on the wire, or is held, for every level: one row per provider, scenario, state and reason';
COMMENT ON COLUMN wa.stat_queue.provider IS 'that has it, had it last, or is demanded; NULL: not chosen yet';
COMMENT ON COLUMN wa.stat_queue.scenario IS 'NULL: sent by hand';
COMMENT ON COLUMN wa.stat_queue.oldest IS 'when the one that was made first was made';
COMMENT ON COLUMN wa.stat_queue.next_due_at IS 'when the first of those that wait for a time may go';

CREATE VIEW wa.stat_provider WITH (security_barrier = true) AS
SELECT p.name AS provider, p.kind, p.active, p.state, p.state = 'error' AS circuit_open, p.paused_at, p.rate_per_second, p.daily_cap,
       p.quota_left, p.quota_at, p.failed_probes, p.probe_at, coalesce(t.attempts, 0) AS attempts_today,
       coalesce(t.accepted, 0) AS accepted_today, coalesce(t.unknown, 0) AS unknown_today,
       round(100.0 * t.unknown / nullif(t.attempts, 0), 1) AS unknown_share_today,
       wa._masked(p.last_error, l.level) AS last_error, p.last_error_at
  FROM wa.provider AS p
  CROSS JOIN (SELECT wa._level('view') AS level OFFSET 0) AS l
  LEFT JOIN (SELECT f.provider, sum(f.n)::bigint AS attempts,
                    coalesce(sum(f.n) FILTER (WHERE f.detail = 'accepted'), 0)::bigint AS accepted,
                    coalesce(sum(f.n) FILTER (WHERE f.detail = 'unknown'), 0)::bigint AS unknown
               FROM wa._figure AS f
              WHERE f.figure = 'attempt' AND f.day = (pg_catalog.now() AT TIME ZONE (SELECT wa._time_zone()))::date
              GROUP BY f.provider) AS t ON t.provider = p.name
 WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.stat_provider IS 'how providers are doing, for every level: their state, and the attempts of today';
COMMENT ON COLUMN wa.stat_provider.circuit_open IS 'it gets nothing until a test of the worker''s own succeeds';
COMMENT ON COLUMN wa.stat_provider.unknown_share_today IS 'attempts of which it is not known whether they were accepted, in percent';
COMMENT ON COLUMN wa.stat_provider.quota_left IS 'what the provider said is left; NULL: it tells nothing';
