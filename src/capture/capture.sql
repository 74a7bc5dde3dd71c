-- src/capture/capture.sql: what is watched, and what happened to it.

CREATE TABLE wa.watch (
    relation    text NOT NULL,
    owner       text NOT NULL,
    columns     text[] NOT NULL,
    attached_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    optional     text[] NOT NULL DEFAULT '{}',
    CONSTRAINT watch_pkey PRIMARY KEY (relation)
);
COMMENT ON TABLE wa.watch IS 'tables whose changes are captured; wa_setup() writes it';
COMMENT ON COLUMN wa.watch.relation IS 'schema-qualified name, quoted where SQL needs it';
COMMENT ON COLUMN wa.watch.owner IS 'role that owned the table when it was attached; nothing is recorded for a table of somebody else';
COMMENT ON COLUMN wa.watch.columns IS 'columns whose change makes an event; those the table lacks are skipped';
COMMENT ON COLUMN wa.watch.attached_at IS 'when its triggers, owner or columns were last put right; wa_check() compares rows written since then, and later than ten minutes after wa_arm(), with what was recorded';
COMMENT ON COLUMN wa.watch.optional IS 'those of them that the table need not have; wa_check() misses the others';

-- The same once more: a session that does not know yet what is watched reads
-- it here while wa.watch is being rewritten (VACUUM FULL and the like go from
-- one table to the next).
CREATE TABLE wa.watch_copy (
    relation    text NOT NULL,
    owner       text NOT NULL,
    columns     text[] NOT NULL,
    CONSTRAINT watch_copy_pkey PRIMARY KEY (relation)
);
COMMENT ON TABLE wa.watch_copy IS 'a copy of wa.watch, kept by its trigger; capture reads it while wa.watch is locked';
COMMENT ON COLUMN wa.watch_copy.relation IS 'as in wa.watch';
COMMENT ON COLUMN wa.watch_copy.owner IS 'as in wa.watch';
COMMENT ON COLUMN wa.watch_copy.columns IS 'as in wa.watch';

CREATE SEQUENCE wa.event_id_seq CACHE 1;
CREATE TABLE wa.event (
    id        bigint NOT NULL DEFAULT pg_catalog.nextval('wa.event_id_seq'),
    xact      xid8 NOT NULL,
    command   bigint NOT NULL,
    at        timestamptz NOT NULL,
    relation  text NOT NULL,
    record_id bigint,
    columns   text[] NOT NULL,
    old       text[],
    new       text[] NOT NULL
);
ALTER SEQUENCE wa.event_id_seq OWNED BY wa.event.id;
-- Takes the events while wa.event is locked; who reads wa.event reads both.
CREATE TABLE wa.event_aside () INHERITS (wa.event);
-- The only indexes, and not unique: nothing here may make the application's
-- write fail or wait.
CREATE INDEX event_xact_idx ON wa.event (xact);
CREATE INDEX event_aside_xact_idx ON wa.event_aside (xact);
-- No key, and this identity: so pg_repack, pg_squeeze and REPACK (CONCURRENTLY)
-- keep their hands off these two.  A table that they have written anew looks
-- empty to a snapshot of before, and events would be lost without a word.
ALTER TABLE wa.event REPLICA IDENTITY FULL;
ALTER TABLE wa.event_aside REPLICA IDENTITY FULL;
-- vacuum_truncate takes ACCESS EXCLUSIVE, which would keep the reader away
ALTER TABLE wa.event SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off, toast.vacuum_truncate = off);
ALTER TABLE wa.event_aside SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off, toast.vacuum_truncate = off);
COMMENT ON TABLE wa.event IS 'changes of watched tables, one row per changed row and statement, written in the transaction that made the change. Give it no key, and leave REPLICA IDENTITY FULL: tools that rewrite tables online must refuse it';
COMMENT ON TABLE wa.event_aside IS 'the same, of times when wa.event was locked (VACUUM FULL, REINDEX); reading wa.event reads both. Give it no key, and leave REPLICA IDENTITY FULL';
COMMENT ON COLUMN wa.event_aside.id IS 'as in wa.event';
COMMENT ON COLUMN wa.event_aside.xact IS 'as in wa.event';
COMMENT ON COLUMN wa.event_aside.command IS 'as in wa.event';
COMMENT ON COLUMN wa.event_aside.at IS 'as in wa.event';
COMMENT ON COLUMN wa.event_aside.relation IS 'as in wa.event';
COMMENT ON COLUMN wa.event_aside.record_id IS 'as in wa.event';
COMMENT ON COLUMN wa.event_aside.columns IS 'as in wa.event';
COMMENT ON COLUMN wa.event_aside.old IS 'as in wa.event';
COMMENT ON COLUMN wa.event_aside.new IS 'as in wa.event';
COMMENT ON COLUMN wa.event.id IS 'in the order in which changes were recorded, from wa.event_id_seq; from the clock, in microseconds, while the sequence can give none';
COMMENT ON COLUMN wa.event.xact IS 'top-level transaction that made the change';
COMMENT ON COLUMN wa.event.command IS 'command within that transaction; orders changes of one record';
COMMENT ON COLUMN wa.event.columns IS 'names of the watched columns, in the order of old and new';
COMMENT ON COLUMN wa.event.old IS 'values before the change as text, at most 8 kB each; NULL for an INSERT';
COMMENT ON COLUMN wa.event.at IS 'time of the change';
COMMENT ON COLUMN wa.event.relation IS 'table, as in wa.watch';
COMMENT ON COLUMN wa.event.record_id IS 'its column id';
COMMENT ON COLUMN wa.event.new IS 'values after the change, likewise';

CREATE TABLE wa.capture_gap (
    id         bigint GENERATED BY DEFAULT AS IDENTITY,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    events     bigint NOT NULL,
    reason     text NOT NULL,
    noted_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT capture_gap_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE wa.capture_gap IS 'spans of time in which changes could not be captured without disturbing the application, or were not to be; scan the watched tables for them again';
COMMENT ON COLUMN wa.capture_gap.reason IS 'locked, missing, full: see the server''s log; off: sicantik_wa.capture was off in the session; known: somebody has seen to what was missing until last_at, and wa_check() does not speak of it any more';
COMMENT ON COLUMN wa.capture_gap.id IS 'from a sequence';
COMMENT ON COLUMN wa.capture_gap.first_at IS 'time of the first change that was not recorded';
COMMENT ON COLUMN wa.capture_gap.last_at IS 'of the last one';
COMMENT ON COLUMN wa.capture_gap.events IS 'how many there were';
COMMENT ON COLUMN wa.capture_gap.noted_at IS 'when this row was written';

CREATE FUNCTION wa.capture()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'wa_sql_capture';
COMMENT ON FUNCTION wa.capture() IS
'trigger function on watched tables: records changes of watched columns in wa.event; never raises an error of its own, never waits for a lock; does nothing on a table that wa.watch does not name';

CREATE FUNCTION wa.changed()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'wa_sql_changed';
COMMENT ON FUNCTION wa.changed() IS
'statement trigger on configuration tables: tells caches and the worker at commit; on wa.watch it also keeps wa.watch_copy';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.watch
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();
-- also what is written with session_replication_role = replica, as a restore may
ALTER TABLE wa.watch ENABLE ALWAYS TRIGGER changed;
