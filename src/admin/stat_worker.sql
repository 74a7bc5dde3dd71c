-- src/admin/stat_worker.sql: what the workers have done, as PostgreSQL's own statistics are: in shared memory.

CREATE FUNCTION wa._stat_worker(OUT pid integer, OUT rounds bigint, OUT failed_rounds bigint, OUT commits bigint, OUT events_read bigint,
    OUT messages_made bigint, OUT claims bigint, OUT attempts bigint, OUT accepted bigint, OUT compose_time double precision,
    OUT choose_time double precision, OUT send_time double precision, OUT record_time double precision, OUT commit_time double precision,
    OUT maintenance_time double precision, OUT other_time double precision, OUT wait_time double precision, OUT idle_time double precision,
    OUT wire_time double precision, OUT latency_time double precision, OUT latency_ends double precision[], OUT latency_steps bigint[],
    OUT stats_reset timestamptz)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_stat_worker';
COMMENT ON FUNCTION wa._stat_worker() IS
'what the workers of this database have done (wa.stat_worker); level view. NULL: nobody counts, since the library is not preloaded';

CREATE VIEW wa.stat_worker WITH (security_barrier = true) AS
SELECT pg_catalog.current_database() AS datname, w.pid, w.rounds, w.failed_rounds, w.commits, w.events_read, w.messages_made, w.claims,
       w.attempts, w.accepted, w.compose_time, w.choose_time, w.send_time, w.record_time, w.commit_time, w.maintenance_time,
       w.other_time, w.wait_time, w.idle_time, w.wire_time, w.latency_time, w.stats_reset
  FROM wa._stat_worker() AS w
 WHERE w.stats_reset IS NOT NULL AND (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.stat_worker IS 'what the workers of this database have done since stats_reset, the process that composes beside one included, for every level: one row, or none where the library is not preloaded. In shared memory: outlives a worker, not the server. Times in milliseconds';
COMMENT ON COLUMN wa.stat_worker.pid IS 'of the worker; NULL: there is none, for there was no work';
COMMENT ON COLUMN wa.stat_worker.rounds IS 'passes: composing, then sending';
COMMENT ON COLUMN wa.stat_worker.failed_rounds IS 'what ended in an error, which the server''s log has';
COMMENT ON COLUMN wa.stat_worker.commits IS 'transactions that wrote something';
COMMENT ON COLUMN wa.stat_worker.events_read IS 'changes of records that were read; several of one record in one transaction are one';
COMMENT ON COLUMN wa.stat_worker.messages_made IS 'rows that they have written into wa.message; what people send is none of them';
COMMENT ON COLUMN wa.stat_worker.claims IS 'messages taken to be put on the wire';
COMMENT ON COLUMN wa.stat_worker.attempts IS 'rows that they have written into wa.attempt';
COMMENT ON COLUMN wa.stat_worker.accepted IS 'answers by which the provider took the message';
COMMENT ON COLUMN wa.stat_worker.compose_time IS 'reading changes, making messages, taking in what providers tell; of the process beside the worker, too';
COMMENT ON COLUMN wa.stat_worker.choose_time IS 'loading what is ready, carrying out requests, asking again, choosing providers, claiming';
COMMENT ON COLUMN wa.stat_worker.send_time IS 'in the HTTP engine: putting requests on the wire, and reading answers';
COMMENT ON COLUMN wa.stat_worker.record_time IS 'writing what answers have come to';
COMMENT ON COLUMN wa.stat_worker.commit_time IS 'committing claims and results, for which the disk is waited for';
COMMENT ON COLUMN wa.stat_worker.maintenance_time IS 'purging, and adding figures up';
COMMENT ON COLUMN wa.stat_worker.other_time IS 'whatever else';
COMMENT ON COLUMN wa.stat_worker.wait_time IS 'nothing to do but to wait for answers, or for a provider''s pace with requests on the wire';
COMMENT ON COLUMN wa.stat_worker.idle_time IS 'waiting with nothing on the wire; what still lasts is not in it';
COMMENT ON COLUMN wa.stat_worker.wire_time IS 'from request to answer, of all attempts together: divided by attempts, how long providers take';
COMMENT ON COLUMN wa.stat_worker.latency_time IS 'of accepted messages together: from when the worker had taken them in as ready to the answer';
COMMENT ON COLUMN wa.stat_worker.stats_reset IS 'since when: wa_stat_reset(), or since this server has known the database';

CREATE VIEW wa.stat_worker_latency WITH (security_barrier = true) AS
SELECT s.upper_bound, s.messages, sum(s.messages) OVER (ORDER BY s.upper_bound)::bigint AS cumulative
  FROM wa._stat_worker() AS w, unnest(w.latency_ends, w.latency_steps) AS s (upper_bound, messages)
 WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.stat_worker_latency IS 'the same of the latency, for every level: how many accepted messages took how long, from when the worker had taken them in as ready (what it leaves on the table when very many wait is not taken in yet) to the provider''s answer; one row per step. From the change to the acceptance: wa.stat_delivery';
COMMENT ON COLUMN wa.stat_worker_latency.upper_bound IS 'milliseconds; Infinity: the last step';
COMMENT ON COLUMN wa.stat_worker_latency.messages IS 'took no longer, and longer than the step before';
COMMENT ON COLUMN wa.stat_worker_latency.cumulative IS 'took no longer';

CREATE FUNCTION pg_catalog.wa_stat_reset()
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_stat_reset';
COMMENT ON FUNCTION pg_catalog.wa_stat_reset() IS
'lets wa.stat_worker and wa.stat_worker_latency of this database begin with zero; the figures of the ledger stay. Needs level admin';
