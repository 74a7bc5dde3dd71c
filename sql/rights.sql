-- who may do what: levels, and every member of the extension with its rights
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION sicantik_wa;

-- levels
CREATE ROLE regress_wa_a;
CREATE ROLE regress_wa_b;
CREATE ROLE regress_wa_group;
GRANT regress_wa_group TO regress_wa_b;
SELECT wa_grant('regress_wa_nobody', 'view');
SELECT wa_grant('regress_wa_a', 'root');
SELECT wa_grant('regress_wa_a', NULL);
SELECT wa_grant('regress_wa_a', 'view');
SELECT wa_grant('regress_wa_group', 'admin');
SELECT role, level FROM wa.access ORDER BY role;
SET ROLE regress_wa_a;
SELECT count(*) > 0 AS sees FROM wa_status();
SELECT wa_set('office_name', 'x');
SELECT wa_grant('regress_wa_a', 'admin');
SELECT wa_revoke('regress_wa_group');
INSERT INTO wa.access VALUES ('regress_wa_a', 'admin');
SELECT * FROM wa.setting;
RESET ROLE;
-- a member has what its group has
SET ROLE regress_wa_b;
SELECT wa_set('office_name', 'x');
SELECT wa_grant('regress_wa_a', 'send');
RESET ROLE;
SELECT wa_revoke('regress_wa_group');
SELECT wa_revoke('regress_wa_group');
SELECT wa_revoke('regress_wa_nobody');
SET ROLE regress_wa_b;
SELECT wa_set('office_name', 'x');
RESET ROLE;
-- a row for a role that was dropped can be taken away, and harms nobody
DROP ROLE regress_wa_group;
SELECT wa_grant('regress_wa_b', 'view');
DROP ROLE regress_wa_b;
SET ROLE regress_wa_a;
SELECT wa_set('office_name', 'x');
RESET ROLE;
SELECT wa_revoke('regress_wa_b');
SELECT role, level FROM wa.access ORDER BY role;

-- every member: does it belong to the bootstrap superuser, and who may do
-- what with it?  NULL means the server's default: nobody but the owner for
-- relations, EXECUTE for everybody for functions.
WITH member AS (
    SELECT d.classid, d.objid, i.type, i.identity
      FROM pg_depend AS d, pg_identify_object(d.classid, d.objid, d.objsubid) AS i
     WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
       AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sicantik_wa')
       -- from PostgreSQL 17 on the row types of tables, and their arrays, are members too
       AND NOT EXISTS (SELECT FROM pg_type AS t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid
                          AND (t.typrelid <> 0 OR t.typcategory = 'A'))
)
SELECT m.type, m.identity,
       coalesce(c.relowner, p.proowner, n.nspowner) = 10 AS ours,
       (SELECT string_agg(CASE WHEN a.grantee = 0 THEN 'PUBLIC' WHEN a.grantee = 10 THEN 'owner'
                               ELSE a.grantee::regrole::text END || '=' || a.privileges, ' ' ORDER BY a.grantee)
          FROM (SELECT grantee, string_agg(privilege_type, ',' ORDER BY privilege_type) AS privileges
                  FROM aclexplode(coalesce(c.relacl, p.proacl, n.nspacl))
                 -- PostgreSQL 17 knows MAINTAIN, an owner's privilege
                 WHERE grantee <> 10
                 GROUP BY grantee) AS a) AS others
  FROM member AS m
  LEFT JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
  LEFT JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
  LEFT JOIN pg_namespace AS n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
 ORDER BY m.type COLLATE "C", m.identity COLLATE "C";

-- triggers of ours hang on tables of ours only
SELECT t.tgrelid::regclass AS relation, t.tgname, t.tgfoid::regproc AS function
  FROM pg_trigger AS t
 WHERE t.tgrelid IN (SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e'
                        AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sicantik_wa'))
   AND NOT t.tgisinternal
 ORDER BY t.tgrelid::regclass::text COLLATE "C", t.tgname COLLATE "C";

-- functions with the rights of their owner: none
SELECT p.oid::regprocedure FROM pg_proc AS p, pg_depend AS d
 WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' AND p.prosecdef
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sicantik_wa');
-- members without a comment: none
SELECT i.type, i.identity
  FROM pg_depend AS d, pg_identify_object(d.classid, d.objid, d.objsubid) AS i
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sicantik_wa')
   AND i.type IN ('table', 'view', 'function', 'procedure', 'schema')
   AND obj_description(d.objid, d.classid::regclass::name) IS NULL
 ORDER BY 1, 2;
-- tables that a logical publication could not replicate: none but the one of
-- which nothing is to be replicated
SELECT c.oid::regclass FROM pg_class AS c
 WHERE c.relnamespace = 'wa'::regnamespace AND c.relkind = 'r' AND c.relreplident <> 'f'
   AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary);
-- what a dump takes along
SELECT c.oid::regclass AS relation, e.condition FROM pg_extension AS x,
       unnest(x.extconfig, x.extcondition) AS e(oid, condition), pg_class AS c
 WHERE x.extname = 'sicantik_wa' AND c.oid = e.oid
 ORDER BY c.oid::regclass::text COLLATE "C";

-- one role that acts for several people: a session that asks for less is
-- masked and refused, whoever it is, and hears the language that it asks for
BEGIN;
SELECT wa_send_text('0812-3456-7890', 'Berkas sudah diterima.') AS id \gset
SET LOCAL sicantik_wa.level = view;
SET LOCAL sicantik_wa.language = en;
SELECT number, wa._level('view') FROM wa.message_view WHERE id = :id;
SELECT what FROM wa_why(:id) LIMIT 2;
SET LOCAL sicantik_wa.language = id;
SELECT what FROM wa_why(:id) LIMIT 2;
SAVEPOINT s;
SELECT wa_cancel(:id);
ROLLBACK TO s;
SET LOCAL sicantik_wa.level = send;
SELECT wa_cancel(:id);
SELECT wa_set('office_name', 'x');
ROLLBACK TO s;
SET LOCAL sicantik_wa.level = webhook;
SELECT count(*) FROM wa.message_view;
ROLLBACK TO s;
SET LOCAL sicantik_wa.level = admin;
SELECT number FROM wa.message_view WHERE id = :id;
-- a number is masked whatever the country, and in texts however it is written
SELECT wa_send_text('+447911123456', 'Hub. 0812 7777 0099, permit 503/0002/SIUP/2026 of 30/11/2026 08:15.') AS abroad \gset
INSERT INTO wa.inbound (provider, received_at, said_at, number, kind, text)
VALUES ('fonnte', now(), now(), '447911123456', 'text', 'Ini nomor saya: +62 812-7777-0097, ada 2 berkas');
INSERT INTO wa.contact (number, opted_in_at, source) VALUES ('67712345', now(), 'hand');
SET LOCAL sicantik_wa.level = view;
SELECT number, body, dedupe_key FROM wa.message_view WHERE id = :abroad;
SELECT number, text FROM wa.inbound_view ORDER BY id DESC LIMIT 1;
SELECT number FROM wa.contact_view WHERE opted_in_at = now() AND source = 'hand';
SELECT what FROM wa_why(:abroad) WHERE what ~ '[*]';
SELECT what FROM wa_history('+447911123456') WHERE what ~ '[*]';
SET LOCAL sicantik_wa.level = admin;
SELECT number, body FROM wa.message_view WHERE id = :abroad;
-- it never raises
SET LOCAL ROLE regress_wa_a;
SELECT number, wa._level('view') FROM wa.message_view WHERE id = :id;
ROLLBACK;

-- why a message has its state, in words for a list of many
SELECT wa._cause(reason, detail, said, 'id') AS indonesian, wa._cause(reason, detail, said, 'en') AS english
  FROM (VALUES ('no_number', NULL, NULL), ('cancelled', 'cancelled by Siti', NULL), (NULL, 'Siti has said so', '["Siti has said so"]'::jsonb),
        ('no_number', 'mobile: empty', '{"not": "a sentence"}'), ('of tomorrow', NULL, NULL), (NULL, NULL, '[]')) AS m(reason, detail, said);

-- an unprivileged owner of the database can create the extension, and owns
-- nothing of it
DROP EXTENSION sicantik_wa CASCADE;
CREATE ROLE regress_wa_owner;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO regress_wa_owner', current_database()); END $$;
SET ROLE regress_wa_owner;
CREATE EXTENSION sicantik_wa;
SELECT count(*) > 20 AS set_up FROM wa_setup();
SELECT wa_configure('fonnte', '{"token": "abc"}') ->> 'token' AS token;
SELECT count(*) FROM wa.provider;
SELECT * FROM wa.secret;
-- a table of others that the owner puts on the list is not given to him, not
-- even by a superuser who calls wa_setup()
RESET ROLE;
CREATE TABLE public.regress_wa_payroll (id integer, salary integer);
SET ROLE regress_wa_owner;
INSERT INTO wa.watch (relation, owner, columns) SELECT 'public.regress_wa_payroll', session_user, '{salary}';
RESET ROLE;
SELECT item, action FROM wa_setup() WHERE item LIKE '%payroll';
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'public.regress_wa_payroll'::regclass;
DROP TABLE public.regress_wa_payroll;
SET ROLE regress_wa_owner;
-- and nothing of ours is his to change
CREATE TABLE wa.mine (id integer);
ALTER TABLE wa.provider ADD COLUMN mine integer;
CREATE TRIGGER mine AFTER INSERT ON wa.message FOR EACH ROW EXECUTE FUNCTION wa.capture();
DROP TABLE wa.message;
GRANT SELECT ON wa.message TO regress_wa_a;
SELECT count(*) FROM wa.message;
RESET ROLE;
SELECT has_table_privilege('regress_wa_a', 'wa.message', 'SELECT') AS leaked;
SET ROLE regress_wa_owner;
DROP EXTENSION sicantik_wa CASCADE;
RESET ROLE;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO %I', current_database(), session_user); END $$;
DROP ROLE regress_wa_owner, regress_wa_a;
