-- the trigger on watched tables, and what it writes
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION sicantik_wa;
CREATE ROLE regress_wa_odoo;
CREATE ROLE regress_wa_other;
CREATE SCHEMA regress_wa_odoo AUTHORIZATION regress_wa_odoo;
CREATE SCHEMA regress_wa_other AUTHORIZATION regress_wa_other;
GRANT ALL ON SCHEMA regress_wa_odoo TO regress_wa_other;
SET ROLE regress_wa_odoo;
CREATE TABLE regress_wa_odoo.sicantik_permit (id serial PRIMARY KEY, status varchar, permit_number varchar, partner_id integer,
    is_renewal boolean, notes text, write_date timestamp);
CREATE TABLE regress_wa_odoo.kinds (id bigint, a text, b numeric(10,2), c date, d timestamp, e timestamptz, f jsonb, g bytea, h double precision, i text[]);
CREATE TABLE regress_wa_odoo.no_id (state text);
RESET ROLE;
SELECT wa_set('odoo_schema', 'regress_wa_odoo');
SELECT count(*) > 20 AS set_up FROM wa_setup();
INSERT INTO wa.watch (relation, owner, columns) VALUES
    ('regress_wa_odoo.kinds', 'regress_wa_odoo', '{a,b,c,d,e,f,g,h,i,missing}'),
    ('regress_wa_odoo.no_id', 'regress_wa_odoo', '{state}');
SELECT item, action FROM wa_setup() WHERE item LIKE 'table%kinds' OR item LIKE 'table%no_id' ORDER BY item;

-- With the second trigger of 1.0, for each statement, what was gathered is written at once, and not before the commit:
-- so it can be looked at in the transaction that wrote it.
CREATE PROCEDURE pg_temp.write_at_once(relation regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER "00_sicantik_wa_statement" AFTER INSERT OR UPDATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION wa.capture()', relation);
END $$;
CALL pg_temp.write_at_once('regress_wa_odoo.sicantik_permit');
CALL pg_temp.write_at_once('regress_wa_odoo.kinds');
CALL pg_temp.write_at_once('regress_wa_odoo.no_id');

-- Each part runs in a transaction that is rolled back.  The view shows what
-- is there and takes away what differs from run to run.
CREATE VIEW pg_temp.events AS
    SELECT substr(relation, 17) AS relation, record_id, old, new FROM wa.event
     WHERE xact = pg_current_xact_id_if_assigned() ORDER BY command, id;

-- INSERT, UPDATE of watched columns, of others, of none
BEGIN;
SET LOCAL ROLE regress_wa_odoo;
INSERT INTO regress_wa_odoo.sicantik_permit VALUES (1, 'draft', NULL, 10, NULL, 'note');
UPDATE regress_wa_odoo.sicantik_permit SET notes = 'other', write_date = '2026-01-31' WHERE id = 1;
UPDATE regress_wa_odoo.sicantik_permit SET status = 'draft', permit_number = NULL WHERE id = 1;
UPDATE regress_wa_odoo.sicantik_permit SET status = 'active', notes = NULL WHERE id = 1;
UPDATE regress_wa_odoo.sicantik_permit SET permit_number = '503/1', is_renewal = false WHERE id = 1;
UPDATE regress_wa_odoo.sicantik_permit SET permit_number = NULL WHERE id = 1;
-- write_date stands behind all that are watched: changed alone, and together with is_renewal, the last of those
UPDATE regress_wa_odoo.sicantik_permit SET write_date = NULL WHERE id = 1;
UPDATE regress_wa_odoo.sicantik_permit SET write_date = '2026-02-01', is_renewal = true WHERE id = 1;
UPDATE regress_wa_odoo.sicantik_permit SET write_date = '2026-02-02' WHERE id = 1;
UPDATE regress_wa_odoo.sicantik_permit SET write_date = '2026-02-03', is_renewal = false WHERE id = 1;
UPDATE regress_wa_odoo.sicantik_permit SET write_date = NULL, is_renewal = NULL WHERE id = 1;
UPDATE regress_wa_odoo.sicantik_permit SET status = 'expired' WHERE id = 2;
DELETE FROM regress_wa_odoo.sicantik_permit WHERE id = 1;
RESET ROLE;
SELECT columns FROM wa.event WHERE xact = pg_current_xact_id() GROUP BY columns;
SELECT * FROM pg_temp.events;
SELECT count(DISTINCT command) AS commands, count(DISTINCT xact) AS transactions, bool_and(at <= clock_timestamp() AND at >= now()) AS in_time
  FROM wa.event WHERE xact = pg_current_xact_id();
ROLLBACK;
-- what changed is found in the bytes of both versions: compared with what SQL says, for columns of all lengths,
-- NULL or not, in any order, rows from before a column was added, large values
BEGIN;
CREATE TABLE regress_wa_odoo.mixed (id integer, u0 boolean, w2 smallint, w1 text, gone integer, u1 text, w3 bigint, u2 "char",
    w4 boolean, u3 numeric, w5 char(3), u4 text);
ALTER TABLE regress_wa_odoo.mixed OWNER TO regress_wa_odoo;
INSERT INTO regress_wa_odoo.mixed
    SELECT n, n % 2 = 0, n % 5, CASE n % 3 WHEN 0 THEN 'a' WHEN 1 THEN repeat(md5(n::text), 200) END, n, repeat('u', n % 9), n % 4, 'x',
           n % 3 = 0, n / 7.0, substr('abc', 1, n % 4), repeat('v', n % 3) FROM generate_series(1, 400) AS n;
ALTER TABLE regress_wa_odoo.mixed ADD COLUMN u5 integer DEFAULT 1, ADD COLUMN w6 integer DEFAULT 5, ADD COLUMN w7 text DEFAULT 'w',
    ADD COLUMN u6 timestamp DEFAULT '2026-01-31';
INSERT INTO wa.watch (relation, owner, columns) VALUES ('regress_wa_odoo.mixed', 'regress_wa_odoo', '{w7,w1,w2,w3,missing,w4,w5,w6,w1}');
SELECT count(*) FROM wa_setup() WHERE item LIKE 'table%mixed' AND action = 'attached';
CALL pg_temp.write_at_once('regress_wa_odoo.mixed');
CREATE FUNCTION pg_temp.watched(m regress_wa_odoo.mixed) RETURNS text[] LANGUAGE sql AS $$
    SELECT ARRAY[m.w7, left(m.w1, 8191), m.w2::text, m.w3::text, NULL, CASE WHEN m.w4 THEN 't' WHEN NOT m.w4 THEN 'f' END, rpad(m.w5, 3), m.w6::text, left(m.w1, 8191)]
$$;
CREATE FUNCTION pg_temp.dice(n integer, sides integer) RETURNS integer LANGUAGE sql AS 'SELECT abs(hashint4(n) % sides)';
CREATE TEMPORARY TABLE was AS SELECT 0 AS round, m.id, pg_temp.watched(m) AS was FROM regress_wa_odoo.mixed AS m;
DO $$
BEGIN
    FOR r IN 1 .. 4 LOOP
        IF r = 4 THEN
            ALTER TABLE regress_wa_odoo.mixed DROP COLUMN gone;
        END IF;
        UPDATE regress_wa_odoo.mixed AS m SET
            u0 = CASE pg_temp.dice(q + 1, 4) WHEN 0 THEN NULL WHEN 1 THEN true ELSE u0 END,
            w2 = CASE pg_temp.dice(q + 2, 9) WHEN 0 THEN NULL WHEN 1 THEN -7 ELSE w2 END,
            w1 = CASE pg_temp.dice(q + 3, 9) WHEN 0 THEN NULL WHEN 1 THEN 'b' WHEN 2 THEN repeat(md5(q::text), 300) ELSE w1 END,
            u1 = CASE pg_temp.dice(q + 4, 3) WHEN 0 THEN NULL WHEN 1 THEN repeat('w', pg_temp.dice(q, 200)) ELSE u1 END,
            w3 = CASE pg_temp.dice(q + 5, 9) WHEN 0 THEN NULL WHEN 1 THEN -9223372036854775808 ELSE w3 END,
            u2 = CASE pg_temp.dice(q + 6, 3) WHEN 0 THEN NULL WHEN 1 THEN 'y' ELSE u2 END,
            w4 = CASE pg_temp.dice(q + 7, 9) WHEN 0 THEN NULL WHEN 1 THEN NOT w4 ELSE w4 END,
            u3 = CASE pg_temp.dice(q + 8, 3) WHEN 0 THEN NULL WHEN 1 THEN q / 3.0 ELSE u3 END,
            w5 = CASE pg_temp.dice(q + 9, 9) WHEN 0 THEN NULL WHEN 1 THEN 'z' ELSE w5 END,
            u5 = CASE pg_temp.dice(q + 10, 3) WHEN 0 THEN NULL WHEN 1 THEN q ELSE u5 END,
            w6 = CASE pg_temp.dice(q + 11, 9) WHEN 0 THEN NULL WHEN 1 THEN 5 WHEN 2 THEN q ELSE w6 END,
            w7 = CASE pg_temp.dice(q + 12, 9) WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'seven' ELSE w7 END,
            u6 = CASE pg_temp.dice(q + 13, 3) WHEN 0 THEN NULL ELSE timestamp '2026-11-28' END
        FROM (SELECT id, id * 1000 + r * 100 AS q FROM regress_wa_odoo.mixed) AS d WHERE m.id = d.id;
        INSERT INTO was SELECT r, m.id, pg_temp.watched(m) FROM regress_wa_odoo.mixed AS m;
    END LOOP;
END $$;
CREATE TEMPORARY VIEW truth AS SELECT a.id::bigint, b.was AS old, a.was AS new FROM was AS a JOIN was AS b ON a.id = b.id AND a.round = b.round + 1
    WHERE a.was IS DISTINCT FROM b.was;
CREATE TEMPORARY VIEW told AS SELECT record_id, old, new FROM wa.event WHERE xact = pg_current_xact_id() AND relation = 'regress_wa_odoo.mixed';
SELECT (SELECT count(*) BETWEEN 800 AND 1500 FROM truth) AS many, (SELECT count(*) FROM (TABLE truth EXCEPT ALL TABLE told) AS t) AS missing,
       (SELECT count(*) FROM (TABLE told EXCEPT ALL TABLE truth) AS t) AS too_many;
ROLLBACK;
-- other ways to write
BEGIN;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'x'), (2, 'draft')
    ON CONFLICT (id) DO UPDATE SET status = 'active';
WITH changed AS (UPDATE regress_wa_odoo.sicantik_permit SET partner_id = 7 WHERE id = 2 RETURNING id)
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) SELECT id + 1, 'draft' FROM changed;
MERGE INTO regress_wa_odoo.sicantik_permit AS p USING (VALUES (3), (4)) AS v (id) ON p.id = v.id
    WHEN MATCHED THEN UPDATE SET status = 'merged' WHEN NOT MATCHED THEN INSERT (id, status) VALUES (v.id, 'merged');
COPY regress_wa_odoo.sicantik_permit (id, status) FROM STDIN;
5	copied
6	copied
\.
SELECT * FROM pg_temp.events;
ROLLBACK;
-- the lowest command has the oldest value, though a trigger of somebody else
-- changed the row in between
BEGIN;
CREATE FUNCTION regress_wa_odoo.number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE regress_wa_odoo.sicantik_permit SET permit_number = '503/' || id WHERE id = NEW.id AND permit_number IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER "0_first" AFTER UPDATE ON regress_wa_odoo.sicantik_permit FOR EACH ROW EXECUTE FUNCTION regress_wa_odoo.number();
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
UPDATE regress_wa_odoo.sicantik_permit SET status = 'active';
SELECT * FROM pg_temp.events;
ROLLBACK;

-- switched off by the session
BEGIN;
SET LOCAL sicantik_wa.capture = off;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
SET LOCAL sicantik_wa.capture = on;
UPDATE regress_wa_odoo.sicantik_permit SET status = 'active';
SELECT * FROM pg_temp.events;
ROLLBACK;
-- a replica's session fires no triggers
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
SELECT count(*) FROM pg_temp.events;
ROLLBACK;

-- savepoints
BEGIN;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'stays');
SAVEPOINT a;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (2, 'goes');
SAVEPOINT b;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (3, 'goes');
RELEASE SAVEPOINT b;
ROLLBACK TO SAVEPOINT a;
SAVEPOINT c;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (4, 'stays');
RELEASE SAVEPOINT c;
SELECT * FROM pg_temp.events;
ROLLBACK;
-- a statement that fails half-way, in a block that catches it
BEGIN;
DO $$
BEGIN
    INSERT INTO regress_wa_odoo.sicantik_permit (id, status) SELECT i, 'goes' FROM generate_series(1, 3000) AS i UNION ALL SELECT 1, 'twice';
EXCEPTION WHEN unique_violation THEN
    INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (5, 'stays');
END $$;
SELECT * FROM pg_temp.events;
ROLLBACK;

-- many rows: each once, in the order of the statement
BEGIN;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) SELECT i, 'draft' FROM generate_series(1, 5000) AS i;
UPDATE regress_wa_odoo.sicantik_permit SET status = 'active' WHERE id % 2 = 0;
SELECT count(*), count(DISTINCT record_id) AS records, count(DISTINCT command) AS commands,
       sum(record_id) = (SELECT sum(i) FROM generate_series(1, 5000) AS i) AS all_of_them
  FROM wa.event WHERE xact = pg_current_xact_id() GROUP BY old IS NULL ORDER BY old IS NULL;
SELECT count(*) AS out_of_order
  FROM (SELECT record_id, lag(record_id) OVER (ORDER BY id) AS before FROM wa.event WHERE xact = pg_current_xact_id() AND old IS NULL) AS s
 WHERE record_id <= before;
ROLLBACK;

-- kinds of values: the text does not depend on the session's settings, and
-- is cut before 8 kB, never within a character
BEGIN;
SET LOCAL TimeZone = 'Asia/Jakarta';
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL bytea_output = 'escape';
SET LOCAL extra_float_digits = 0;
INSERT INTO regress_wa_odoo.kinds VALUES
    (9000000000, 'a', 1.5, '2026-01-31', '2026-01-31 08:15', '2026-01-31 08:15+00', '{"b": 1, "a": "x"}', '\x00ff', 0.5, '{a,"b c"}');
SELECT * FROM pg_temp.events;
INSERT INTO regress_wa_odoo.kinds (id, a, f) VALUES (1, repeat('x', 8191), NULL), (2, repeat('x', 8192), NULL), (3, repeat('x', 1000000), NULL),
    (4, repeat(U&'\00E9', 4100), NULL), (5, 'x' || repeat(U&'\00E9', 4100), NULL), (6, NULL, to_jsonb(repeat('x', 20000)));
SELECT record_id, length(new[1]) AS a_characters, octet_length(new[1]) AS a_bytes, octet_length(new[6]) AS f_bytes FROM pg_temp.events WHERE record_id < 10;
-- a long value that is not touched makes no event; one that is makes one,
-- though both ends look the same after cutting
UPDATE regress_wa_odoo.kinds SET id = 33 WHERE id = 3;
UPDATE regress_wa_odoo.kinds SET a = a || 'y' WHERE id = 33;
SELECT record_id, old[1] = new[1] AS same FROM pg_temp.events WHERE record_id = 33;
ROLLBACK;
-- enums and domains are taken as text, with arrays of them; any other type of
-- somebody's own would run his code: left out
BEGIN;
SET LOCAL ROLE regress_wa_odoo;
CREATE DOMAIN regress_wa_odoo.word AS varchar(20);
CREATE DOMAIN regress_wa_odoo.short_word AS regress_wa_odoo.word CHECK (length(VALUE) < 10);
CREATE DOMAIN regress_wa_odoo.day AS date;
CREATE TYPE regress_wa_odoo.state AS ENUM ('draft', 'on "hold"');
CREATE DOMAIN regress_wa_odoo.good_state AS regress_wa_odoo.state;
CREATE TYPE regress_wa_odoo.pair AS (a integer, b integer);
ALTER TABLE regress_wa_odoo.kinds ALTER COLUMN a TYPE regress_wa_odoo.short_word, ALTER COLUMN b TYPE regress_wa_odoo.state USING NULL,
    ALTER COLUMN c TYPE regress_wa_odoo.day, ALTER COLUMN d TYPE regress_wa_odoo.good_state USING NULL,
    ALTER COLUMN e TYPE regress_wa_odoo.state[] USING NULL, ALTER COLUMN f TYPE regress_wa_odoo.pair USING NULL,
    ALTER COLUMN g TYPE regress_wa_odoo.word[] USING NULL, ALTER COLUMN h TYPE regress_wa_odoo.pair[] USING NULL;
SET LOCAL DateStyle = 'SQL, DMY';
INSERT INTO regress_wa_odoo.kinds (id, a, b, c, d, e, f, g, h)
    VALUES (1, 'a', 'draft', '31/01/2026', 'draft', '{draft,"on \"hold\""}', (1, 2), '{x}', '{"(1,2)"}');
UPDATE regress_wa_odoo.kinds SET b = 'on "hold"';
UPDATE regress_wa_odoo.kinds SET d = NULL;
UPDATE regress_wa_odoo.kinds SET f = NULL;
RESET ROLE;
SELECT * FROM pg_temp.events;
SELECT w.value, d FROM wa_status() AS w, unnest(string_to_array(w.detail, '; ')) AS d WHERE item = 'watched regress_wa_odoo.kinds' AND d !~ 'tidak ada lagi|UPDATE';
ROLLBACK;
-- a table without id
BEGIN;
INSERT INTO regress_wa_odoo.no_id VALUES ('a');
SELECT * FROM pg_temp.events;
ROLLBACK;

-- Odoo's module upgrade on watched tables, in the session that has just
-- captured, and with events before and after
BEGIN;
SET LOCAL ROLE regress_wa_odoo;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, '1');
ALTER TABLE regress_wa_odoo.sicantik_permit ADD COLUMN x_more integer DEFAULT 5;
UPDATE regress_wa_odoo.sicantik_permit SET status = '2';
ALTER TABLE regress_wa_odoo.sicantik_permit ALTER COLUMN status TYPE integer USING status::integer;
UPDATE regress_wa_odoo.sicantik_permit SET status = 3;
ALTER TABLE regress_wa_odoo.sicantik_permit DROP COLUMN permit_number CASCADE;
UPDATE regress_wa_odoo.sicantik_permit SET status = 4;
ALTER TABLE regress_wa_odoo.sicantik_permit ADD COLUMN permit_number varchar;
UPDATE regress_wa_odoo.sicantik_permit SET permit_number = '503/1';
ALTER TABLE regress_wa_odoo.sicantik_permit RENAME COLUMN status TO state;
UPDATE regress_wa_odoo.sicantik_permit SET state = 5;
ALTER TABLE regress_wa_odoo.sicantik_permit RENAME COLUMN state TO status;
UPDATE regress_wa_odoo.sicantik_permit SET status = 6;
RESET ROLE;
SELECT * FROM pg_temp.events;
ROLLBACK;
-- the trigger is still there after all of that
BEGIN;
SET LOCAL ROLE regress_wa_odoo;
ALTER TABLE regress_wa_odoo.sicantik_permit ALTER COLUMN status TYPE text;
ALTER TABLE regress_wa_odoo.sicantik_permit DROP COLUMN is_renewal CASCADE;
RESET ROLE;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'regress_wa_odoo.sicantik_permit'::regclass AND NOT tgisinternal ORDER BY 1;
ROLLBACK;
-- the table is renamed, emptied, dropped, and made again
BEGIN;
SET LOCAL ROLE regress_wa_odoo;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'before');
ALTER TABLE regress_wa_odoo.sicantik_permit RENAME TO renamed;
UPDATE regress_wa_odoo.renamed SET status = 'not ours now';
ALTER TABLE regress_wa_odoo.renamed RENAME TO sicantik_permit;
UPDATE regress_wa_odoo.sicantik_permit SET status = 'back';
TRUNCATE regress_wa_odoo.sicantik_permit;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'again');
SET CONSTRAINTS ALL IMMEDIATE;
DROP TABLE regress_wa_odoo.sicantik_permit;
CREATE TABLE regress_wa_odoo.sicantik_permit (id integer, status text);
INSERT INTO regress_wa_odoo.sicantik_permit VALUES (2, 'no trigger yet');
RESET ROLE;
SELECT action FROM wa_setup() WHERE item = 'table regress_wa_odoo.sicantik_permit';
CALL pg_temp.write_at_once('regress_wa_odoo.sicantik_permit');
UPDATE regress_wa_odoo.sicantik_permit SET status = 'attached';
SELECT * FROM pg_temp.events;
ROLLBACK;

-- nobody forges events: the function is everybody's, the stream is not
SET ROLE regress_wa_other;
CREATE TABLE regress_wa_other.sicantik_permit (id integer, status varchar, permit_number varchar, partner_id integer, is_renewal boolean);
CREATE TRIGGER "00_sicantik_wa_row" AFTER INSERT OR UPDATE ON regress_wa_other.sicantik_permit FOR EACH ROW EXECUTE FUNCTION wa.capture();
CREATE TRIGGER "00_sicantik_wa_statement" AFTER INSERT OR UPDATE ON regress_wa_other.sicantik_permit FOR EACH STATEMENT EXECUTE FUNCTION wa.capture();
INSERT INTO regress_wa_other.sicantik_permit VALUES (1, 'active', '503/1', 10, false);
CREATE TEMP TABLE sicantik_permit (LIKE regress_wa_other.sicantik_permit);
CREATE TRIGGER "00_sicantik_wa_row" AFTER INSERT OR UPDATE ON pg_temp.sicantik_permit FOR EACH ROW EXECUTE FUNCTION wa.capture();
CREATE TRIGGER "00_sicantik_wa_statement" AFTER INSERT OR UPDATE ON pg_temp.sicantik_permit FOR EACH STATEMENT EXECUTE FUNCTION wa.capture();
INSERT INTO pg_temp.sicantik_permit VALUES (1, 'active', '503/1', 10, false);
DROP TABLE pg_temp.sicantik_permit;
INSERT INTO wa.event (xact, command, at, relation, columns, new) VALUES ('1', 1, now(), 'x', '{a}', '{b}');
SELECT wa.capture();
RESET ROLE;
SELECT count(*) FROM wa.event;
-- under the watched name, but of another owner
BEGIN;
DROP TABLE regress_wa_odoo.sicantik_permit;
SET LOCAL ROLE regress_wa_other;
CREATE TABLE regress_wa_odoo.sicantik_permit (LIKE regress_wa_other.sicantik_permit);
CREATE TRIGGER "00_sicantik_wa_row" AFTER INSERT OR UPDATE ON regress_wa_odoo.sicantik_permit FOR EACH ROW EXECUTE FUNCTION wa.capture();
CREATE TRIGGER "00_sicantik_wa_statement" AFTER INSERT OR UPDATE ON regress_wa_odoo.sicantik_permit FOR EACH STATEMENT EXECUTE FUNCTION wa.capture();
INSERT INTO regress_wa_odoo.sicantik_permit VALUES (1, 'active', '503/1', 10, false);
RESET ROLE;
SELECT count(*) FROM pg_temp.events;
ROLLBACK;
-- a trigger of another name
BEGIN;
SET LOCAL ROLE regress_wa_odoo;
DROP TRIGGER "00_sicantik_wa_row" ON regress_wa_odoo.sicantik_permit;
CREATE TRIGGER other AFTER INSERT OR UPDATE ON regress_wa_odoo.sicantik_permit FOR EACH ROW EXECUTE FUNCTION wa.capture();
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
RESET ROLE;
SELECT count(*) FROM pg_temp.events;
ROLLBACK;

-- what belongs to us is damaged: the write succeeds all the same
BEGIN;
ALTER TABLE wa.event RENAME TO elsewhere;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
ALTER TABLE wa.elsewhere RENAME TO event;
UPDATE regress_wa_odoo.sicantik_permit SET status = 'active';
SELECT * FROM pg_temp.events;
ROLLBACK;
BEGIN;
ALTER TABLE wa.watch RENAME TO elsewhere;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
ALTER TABLE wa.elsewhere RENAME TO watch;
UPDATE regress_wa_odoo.sicantik_permit SET status = 'active';
SELECT * FROM pg_temp.events;
ROLLBACK;
-- ... or by an index that long values do not fit into: the other table takes them
BEGIN;
CREATE INDEX ON wa.event (new);
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) SELECT 1, string_agg(md5(n::text), '') FROM generate_series(1, 300) AS n;
SELECT record_id, length(new[1]) FROM pg_temp.events;
ROLLBACK;
BEGIN;
CREATE UNIQUE INDEX ON wa.event (id);
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
SELECT count(*) FROM pg_temp.events;
ROLLBACK;
BEGIN;
ALTER TABLE wa.event ADD COLUMN later text DEFAULT 'x';
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
SELECT * FROM pg_temp.events;
ROLLBACK;
BEGIN;
DELETE FROM wa.watch;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
SELECT count(*) FROM pg_temp.events;
ROLLBACK;
-- the sequence is at its end, or missing: the clock numbers events
BEGIN;
SELECT setval('wa.event_id_seq', 9223372036854775807) > 0 AS at_its_end;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) SELECT 100 + n, 'draft' FROM generate_series(1, 600) AS n;
SELECT count(DISTINCT id), bool_and(id BETWEEN 800000000000000 AND 9000000000000000) AS from_the_clock FROM wa.event WHERE xact = pg_current_xact_id();
SELECT setval('wa.event_id_seq', 1) > 0 AS turned_back;
ALTER SEQUENCE wa.event_id_seq RENAME TO elsewhere;
UPDATE regress_wa_odoo.sicantik_permit SET status = 'active' WHERE id = 101;
ALTER SEQUENCE wa.elsewhere RENAME TO event_id_seq;
UPDATE regress_wa_odoo.sicantik_permit SET status = 'expired' WHERE id = 101;
SELECT id < 800000000000000 AS from_the_sequence, old[1], new[1] FROM wa.event WHERE xact = pg_current_xact_id() AND record_id = 101 ORDER BY command;
ROLLBACK;
SELECT setval('wa.event_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM wa.event)) > 0 AS mended;

-- wa.watch and its copy are the same after every change
SELECT (SELECT array_agg(w::text) FROM (SELECT relation, owner, columns FROM wa.watch ORDER BY 1) AS w)
     = (SELECT array_agg(c::text) FROM (SELECT relation, owner, columns FROM wa.watch_copy ORDER BY 1) AS c) AS same;
BEGIN;
SET LOCAL session_replication_role = replica;
TRUNCATE wa.watch;
SELECT count(*) FROM wa.watch_copy;
ROLLBACK;
-- tools that rewrite tables online must refuse these two
SELECT relname, relreplident, relhasindex AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisunique) AS no_key,
       obj_description(c.oid, 'pg_class') ~ 'no key, and leave REPLICA IDENTITY FULL' AS commented
  FROM pg_class AS c WHERE relnamespace = 'wa'::regnamespace AND relname ~ '^event(_aside)?$' AND relkind = 'r' ORDER BY 1;

-- a foreign key of Odoo's that is checked at the end of the transaction
BEGIN;
SET LOCAL ROLE regress_wa_odoo;
CREATE TABLE regress_wa_odoo.document (permit_id integer REFERENCES regress_wa_odoo.sicantik_permit DEFERRABLE INITIALLY DEFERRED);
INSERT INTO regress_wa_odoo.document VALUES (1);
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
SET CONSTRAINTS ALL IMMEDIATE;
RESET ROLE;
SELECT * FROM pg_temp.events;
ROLLBACK;

-- committed, for once; and forgotten with the extension
BEGIN;
SET LOCAL ROLE regress_wa_odoo;
DROP TRIGGER "00_sicantik_wa_statement" ON regress_wa_odoo.sicantik_permit;
INSERT INTO regress_wa_odoo.sicantik_permit (id, status) VALUES (1, 'draft');
UPDATE regress_wa_odoo.sicantik_permit SET status = 'active';
RESET ROLE;
SELECT count(*) AS before_commit FROM wa.event;
COMMIT;
SELECT record_id, old, new FROM wa.event ORDER BY command;
DROP VIEW pg_temp.events;
DROP EXTENSION sicantik_wa CASCADE;
UPDATE regress_wa_odoo.sicantik_permit SET status = 'active';
DROP SCHEMA regress_wa_odoo CASCADE;
DROP SCHEMA regress_wa_other CASCADE;
DROP ROLE regress_wa_odoo, regress_wa_other;
