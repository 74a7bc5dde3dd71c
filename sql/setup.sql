-- wa_setup(), wa_teardown(), wa_status()
\set VERBOSITY terse
CREATE EXTENSION sicantik_wa;
SET client_min_messages = warning;

-- what says nothing about the server that the test happens to run on
CREATE FUNCTION pg_temp.setup(OUT item text, OUT action text, OUT detail text) RETURNS SETOF record
LANGUAGE sql AS $$
    SELECT item, action, replace(detail, current_database(), '<database>') FROM wa_setup()
     WHERE item NOT IN ('library', 'database owner', 'encoding', 'backup', 'next')
$$;

CREATE ROLE regress_wa_odoo;
CREATE ROLE regress_wa_other;
CREATE ROLE regress_wa_admin;
CREATE SCHEMA regress_wa_odoo AUTHORIZATION regress_wa_odoo;
SELECT wa_set('odoo_schema', 'regress_wa_odoo');

SELECT value, detail FROM wa_status() WHERE item = 'next';

-- before Odoo's tables are there; then again
SELECT * FROM pg_temp.setup();
SELECT action, count(*) FROM pg_temp.setup() GROUP BY 1 ORDER BY 1;
SELECT name, value FROM wa.setting ORDER BY name;
SELECT key, parameters FROM wa.template ORDER BY key;
SELECT key, watch, on_insert, exclusive, requires_opt_in, time_to_live, unknown_policy, priority
  FROM wa.scenario ORDER BY key;
SELECT name, kind, state, sequence, active, is_default, max_in_flight, min_gap, gap_jitter, rate_per_second, daily_cap, recipient_gap
  FROM wa.provider ORDER BY sequence;

-- the texts keep Meta's rules: setting them again raises no warning
SELECT count(*) FROM (SELECT wa_set_template(key, jsonb_build_object('body', body)) FROM wa.template) AS s;
SELECT key, length(body) <= 1024 AS short, body ~ '^(Yth\.|Kepada) ' AS greets, body ~ '\nDPMPTSP$' AS signed
  FROM wa.template ORDER BY key;

-- the office's name goes into texts that nobody has changed
SELECT wa_set('office_name', 'DPMPTSP Kabupaten Contoh');
SELECT wa_set_template('reminder', '{"body": "Yth. petugas, ada {{jumlah}} dokumen yang menunggu. Terima kasih."}') ->> 'parameters';
SELECT item, action FROM pg_temp.setup() WHERE item LIKE 'template%';
SELECT key, right(body, 25) FROM wa.template WHERE key IN ('permit_ready', 'reminder') ORDER BY key;

-- Odoo's tables appear
SET ROLE regress_wa_odoo;
CREATE TABLE regress_wa_odoo.sicantik_permit (id serial PRIMARY KEY, status varchar, permit_number varchar, partner_id integer, is_renewal boolean);
CREATE TABLE regress_wa_odoo.sicantik_document (id serial PRIMARY KEY, state varchar, requires_approval boolean);
CREATE TABLE regress_wa_odoo.signature_workflow (id serial PRIMARY KEY, state varchar, approver_id integer);
CREATE TABLE regress_wa_odoo.ir_config_parameter (id serial PRIMARY KEY, key varchar, value text);
CREATE TABLE regress_wa_odoo.ir_module_module (id serial PRIMARY KEY, name varchar, state varchar);
INSERT INTO regress_wa_odoo.ir_config_parameter (key, value) VALUES ('web.base.url', 'http://sicantik.example');
INSERT INTO regress_wa_odoo.ir_module_module (name, state) VALUES ('sicantik_whatsapp', 'installed'), ('whatsapp', 'uninstalled');
RESET ROLE;
-- plain http is not for citizens
SELECT * FROM pg_temp.setup() WHERE action <> 'present';
UPDATE regress_wa_odoo.ir_config_parameter SET value = 'https://sicantik.example/';
SELECT * FROM pg_temp.setup() WHERE action <> 'present';
SELECT relation, owner, columns FROM wa.watch ORDER BY relation;
SELECT pg_get_triggerdef(oid) FROM pg_trigger
 WHERE tgrelid::regclass::text LIKE 'regress_wa_odoo.%' AND NOT tgisinternal ORDER BY tgrelid::regclass::text, tgname;
SELECT item, action FROM pg_temp.setup() WHERE item LIKE 'table%';
SELECT item, value, detail FROM wa_status() WHERE item LIKE 'watched%';

-- capture works for the owner of the table, who has no rights on ours
SET ROLE regress_wa_odoo;
INSERT INTO regress_wa_odoo.sicantik_permit (status, permit_number, partner_id) VALUES ('draft', NULL, 1);
UPDATE regress_wa_odoo.sicantik_permit SET status = 'active', permit_number = '503/1';
RESET ROLE;
SELECT relation, record_id, columns, old, new FROM wa.event ORDER BY command, id;

-- a trigger that is gone, and one that is disabled
DROP TRIGGER "00_sicantik_wa_row" ON regress_wa_odoo.sicantik_permit;
ALTER TABLE regress_wa_odoo.sicantik_document DISABLE TRIGGER "00_sicantik_wa_row";
SELECT item, value FROM wa_status() WHERE item LIKE 'watched%';
SELECT * FROM pg_temp.setup() WHERE item LIKE 'table%';
ALTER TABLE regress_wa_odoo.sicantik_document ENABLE TRIGGER "00_sicantik_wa_row";

-- a trigger with our name that is not ours
CREATE FUNCTION regress_wa_odoo.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
DROP TRIGGER "00_sicantik_wa_row" ON regress_wa_odoo.sicantik_permit;
CREATE TRIGGER "00_sicantik_wa_row" AFTER INSERT OR UPDATE ON regress_wa_odoo.sicantik_permit
    FOR EACH ROW EXECUTE FUNCTION regress_wa_odoo.nothing();
SELECT * FROM pg_temp.setup() WHERE item LIKE 'table%permit';
DROP TRIGGER "00_sicantik_wa_row" ON regress_wa_odoo.sicantik_permit;
-- one of ours that names columns is not as it should be either
CREATE TRIGGER "00_sicantik_wa_row" AFTER INSERT OR UPDATE OF status ON regress_wa_odoo.sicantik_permit
    FOR EACH ROW EXECUTE FUNCTION wa.capture();
SELECT * FROM pg_temp.setup() WHERE item LIKE 'table%permit';
DROP TRIGGER "00_sicantik_wa_row" ON regress_wa_odoo.sicantik_permit;

-- a caller who may use our functions, but not alter the table
SELECT wa_grant('regress_wa_admin', 'admin');
SET ROLE regress_wa_admin;
SELECT item, action, detail FROM wa_setup() WHERE item LIKE 'table%';
SELECT item, action, detail FROM wa_teardown();
RESET ROLE;
GRANT regress_wa_odoo TO regress_wa_admin;
SET ROLE regress_wa_admin;
SELECT item, action, detail FROM wa_setup() WHERE item LIKE 'table%';
RESET ROLE;
-- ... and one who may not use them at all
SET ROLE regress_wa_other;
SELECT * FROM wa_setup() WHERE item <> 'next';
SELECT * FROM wa_teardown();
SELECT * FROM wa_status();
RESET ROLE;

-- the table gets another owner
ALTER TABLE regress_wa_odoo.sicantik_document OWNER TO regress_wa_other;
GRANT USAGE ON SCHEMA regress_wa_odoo TO regress_wa_other;
SELECT item, value FROM wa_status() WHERE item LIKE 'watched%document';
SET ROLE regress_wa_admin;
SELECT item, action, detail FROM wa_setup() WHERE item LIKE 'table%document';
RESET ROLE;
SELECT * FROM pg_temp.setup() WHERE item LIKE 'table%document';
SELECT relation, owner FROM wa.watch WHERE relation LIKE '%document';

-- a view in place of a table: its function must not run
SET ROLE regress_wa_odoo;
CREATE FUNCTION regress_wa_odoo.gain() RETURNS varchar LANGUAGE plpgsql AS
    $$ BEGIN RAISE WARNING 'the planted function ran as %', current_user; RETURN 'web.base.url'; END $$;
DROP TABLE regress_wa_odoo.signature_workflow, regress_wa_odoo.ir_config_parameter;
CREATE VIEW regress_wa_odoo.signature_workflow AS SELECT 1 AS id, 'x'::varchar AS state;
CREATE VIEW regress_wa_odoo.ir_config_parameter AS SELECT regress_wa_odoo.gain() AS key, 'https://evil.example'::text AS value;
RESET ROLE;
SELECT wa_set('download_link', NULL);
SELECT * FROM pg_temp.setup() WHERE item LIKE 'table%' OR item LIKE '%download_link';
SELECT item, value FROM wa_status() WHERE item LIKE 'watched%';

-- a trigger on DDL runs with the rights of the table's owner at most
CREATE FUNCTION regress_wa_odoo.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE WARNING 'DDL as %', current_user; END $$;
CREATE EVENT TRIGGER regress_wa_ddl ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER')
    EXECUTE FUNCTION regress_wa_odoo.on_ddl();
DROP TRIGGER "00_sicantik_wa_row" ON regress_wa_odoo.sicantik_permit;
SELECT item, action FROM pg_temp.setup() WHERE item LIKE 'table%permit';
-- an error in one table leaves the others alone
CREATE OR REPLACE FUNCTION regress_wa_odoo.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no DDL today'; END $$;
DROP TRIGGER "00_sicantik_wa_row" ON regress_wa_odoo.sicantik_permit;
SELECT * FROM pg_temp.setup() WHERE item LIKE 'table%';
DROP EVENT TRIGGER regress_wa_ddl;
SELECT * FROM pg_temp.setup() WHERE item LIKE 'table%permit';

-- another table of the DBA's own
CREATE TABLE regress_wa_odoo."Odd name" (id integer, state text);
INSERT INTO wa.watch (relation, owner, columns) VALUES ('regress_wa_odoo."Odd name"', 'nobody', '{state}'), ('nowhere.x', 'nobody', '{a}');
SELECT item, action FROM pg_temp.setup() WHERE item LIKE 'table%';

-- a publication of all tables
SET client_min_messages = error;
CREATE PUBLICATION regress_wa_all FOR ALL TABLES;
SET client_min_messages = warning;
SELECT * FROM wa_setup() WHERE item <> 'next';
SELECT item, action, detail FROM wa_setup(despite_publication => true) WHERE item = 'publication';
DROP PUBLICATION regress_wa_all;
-- and others that take tables of ours along: the statement that mends it
SELECT wa_set('language', 'en');
SET client_min_messages = error;
CREATE PUBLICATION regress_wa_schemas FOR TABLES IN SCHEMA wa, public;
CREATE PUBLICATION regress_wa_tables FOR TABLE wa.message, wa.attempt, regress_wa_odoo."Odd name";
CREATE PUBLICATION regress_wa_other FOR TABLES IN SCHEMA regress_wa_odoo;
SET client_min_messages = warning;
SELECT what_to_do FROM wa_check() WHERE item = 'publication';
DROP PUBLICATION regress_wa_schemas, regress_wa_tables, regress_wa_other;
SELECT wa_set('language', NULL);

-- take the triggers off, twice; 1.0 had another one for each statement
CREATE TRIGGER "00_sicantik_wa_statement" AFTER INSERT OR UPDATE ON regress_wa_odoo.sicantik_permit
    FOR EACH STATEMENT EXECUTE FUNCTION wa.capture();
SELECT * FROM wa_teardown();
SELECT * FROM wa_teardown();
SELECT count(*) FROM pg_trigger WHERE tgname LIKE '00_sicantik_wa%';
SELECT count(*) FROM wa.watch;
SELECT item, value FROM wa_status() WHERE item LIKE 'watched%';

-- dropping the extension takes the triggers along as well
SELECT count(*) > 20 AS set_up FROM wa_setup();
SELECT count(*) FROM pg_trigger WHERE tgname LIKE '00_sicantik_wa%';
DROP EXTENSION sicantik_wa CASCADE;
SELECT count(*) FROM pg_trigger WHERE tgname LIKE '00_sicantik_wa%';
DROP SCHEMA regress_wa_odoo CASCADE;
DROP ROLE regress_wa_odoo, regress_wa_other, regress_wa_admin;
