-- src/queue/figure.sql: the ledger in figures, kept by day.
--
-- Whoever writes wa.message or wa.attempt changes the figures in the same
-- transaction, since triggers count.  What a statement has changed is added to
-- wa.figure_change, where nobody waits for anybody, and the worker adds that up
-- in wa.figure.  Both together are, at any moment, what counting the ledger
-- would give.  Nothing of it is dumped: the ledger is, and counts itself when it
-- is restored.

CREATE TABLE wa.figure (
    day      date NOT NULL,
    scenario text COLLATE pg_catalog."C" NOT NULL DEFAULT '',
    provider text COLLATE pg_catalog."C" NOT NULL DEFAULT '',
    figure   text COLLATE pg_catalog."C" NOT NULL,
    detail   text COLLATE pg_catalog."C" NOT NULL DEFAULT '',
    n        bigint NOT NULL,
    last     bigint,
    CONSTRAINT figure_pkey PRIMARY KEY (day, scenario, provider, figure, detail)
) WITH (fillfactor = 80);
-- what waits, of all days; rows of it that have come to nothing are taken out
CREATE INDEX figure_waiting_idx ON wa.figure (figure) WHERE figure IN ('queued', 'sending', 'held');
COMMENT ON TABLE wa.figure IS 'the ledger in figures, by day of the office; with wa.figure_change, what counting it would give. The views wa.figures and wa.stat_* read it';
COMMENT ON COLUMN wa.figure.day IS 'of a message: on which it was made; of an attempt: on which it began; in the time zone of wa.figure_zone';
COMMENT ON COLUMN wa.figure.scenario IS 'wa.message.scenario; empty: by hand, or an attempt';
COMMENT ON COLUMN wa.figure.provider IS 'wa.message.provider, or of the attempt; empty: none yet';
COMMENT ON COLUMN wa.figure.figure IS 'a state: messages that have it now; was_sent, was_delivered, was_read: messages of which that is known, each with those of the next; sent_after, delivered_after: how long that took; attempts, repeats: their sums; pricing: what the provider says of the price; attempt: requests that are over';
COMMENT ON COLUMN wa.figure.detail IS 'of a state the reason; of a time k, which stands for less than 2^(k/4) milliseconds and not less than 2^((k-1)/4); of pricing "category/type/billable", each of which has "-" for "/"; of an attempt its outcome';
COMMENT ON COLUMN wa.figure.n IS 'how many';
COMMENT ON COLUMN wa.figure.last IS 'of a state: one of the last messages that came to it, which may have left it since';

CREATE TABLE wa.figure_change (
    day      date NOT NULL,
    scenario text COLLATE pg_catalog."C" NOT NULL DEFAULT '',
    provider text COLLATE pg_catalog."C" NOT NULL DEFAULT '',
    figure   text COLLATE pg_catalog."C" NOT NULL,
    detail   text COLLATE pg_catalog."C" NOT NULL DEFAULT '',
    n        bigint NOT NULL,
    last     bigint
);
-- it has no key, and a publication of all tables takes it along
ALTER TABLE wa.figure_change REPLICA IDENTITY FULL;
ALTER TABLE wa.figure_change SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE wa.figure_change IS 'what is to be added to wa.figure; read both';
COMMENT ON COLUMN wa.figure_change.day IS 'as in wa.figure';
COMMENT ON COLUMN wa.figure_change.scenario IS 'as in wa.figure';
COMMENT ON COLUMN wa.figure_change.provider IS 'as in wa.figure';
COMMENT ON COLUMN wa.figure_change.figure IS 'as in wa.figure';
COMMENT ON COLUMN wa.figure_change.detail IS 'as in wa.figure';
COMMENT ON COLUMN wa.figure_change.n IS 'how many more, or (below 0) less';
COMMENT ON COLUMN wa.figure_change.last IS 'as in wa.figure';

CREATE TABLE wa.figure_zone (
    time_zone text NOT NULL,
    CONSTRAINT figure_zone_pkey PRIMARY KEY (time_zone)
);
COMMENT ON TABLE wa.figure_zone IS 'one row at most: the time zone in which the figures have their days; where it is not the one of the setting, or none, the worker counts the ledger anew';
COMMENT ON COLUMN wa.figure_zone.time_zone IS 'as the setting "time_zone" was';

CREATE FUNCTION wa._count()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'wa_sql_count';
COMMENT ON FUNCTION wa._count() IS
'trigger function on wa.message and wa.attempt: for each row what it changes in the figures, and after the statement writes that into wa.figure_change';

CREATE TRIGGER count AFTER INSERT OR UPDATE OR DELETE ON wa.message FOR EACH ROW EXECUTE FUNCTION wa._count();
CREATE TRIGGER count_write AFTER INSERT OR UPDATE OR DELETE ON wa.message FOR EACH STATEMENT EXECUTE FUNCTION wa._count();
CREATE TRIGGER count_all BEFORE TRUNCATE ON wa.message FOR EACH STATEMENT EXECUTE FUNCTION wa._count();
CREATE TRIGGER count AFTER INSERT OR UPDATE OR DELETE ON wa.attempt FOR EACH ROW EXECUTE FUNCTION wa._count();
CREATE TRIGGER count_write AFTER INSERT OR UPDATE OR DELETE ON wa.attempt FOR EACH STATEMENT EXECUTE FUNCTION wa._count();
CREATE TRIGGER count_all BEFORE TRUNCATE ON wa.attempt FOR EACH STATEMENT EXECUTE FUNCTION wa._count();
ALTER TABLE wa.message ENABLE ALWAYS TRIGGER count, ENABLE ALWAYS TRIGGER count_write, ENABLE ALWAYS TRIGGER count_all;
ALTER TABLE wa.attempt ENABLE ALWAYS TRIGGER count, ENABLE ALWAYS TRIGGER count_write, ENABLE ALWAYS TRIGGER count_all;

CREATE FUNCTION pg_catalog.wa_recount()
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_recount';
COMMENT ON FUNCTION pg_catalog.wa_recount() IS
'counts the ledger anew, for the figures (wa.figures, wa.stat_*), and looks through it for what waits for a person. Returns how many messages there are. Needed only where triggers were disabled while the ledger was written. Nobody writes the ledger meanwhile: some 20 seconds for 10 million messages. Raises an error in a transaction that is not READ COMMITTED. Needs level admin';
