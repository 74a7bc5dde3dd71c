-- wa_set_template(), wa_map_template()
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION sicantik_wa;
RESET client_min_messages;
CREATE ROLE regress_wa_sender;

-- parameters in order of first appearance
SELECT jsonb_pretty(wa_set_template('selesai', '{"body": "Yth. {{ partner_name }}, izin {{permit_type}} atas nama {{partner_name}} dengan nomor {{permit_number}} sudah selesai. Terima kasih."}'));
-- or as given
SELECT wa_set_template('selesai', '{"parameters": ["permit_number", "permit_type", "partner_name"], "name": "Izin selesai", "category": "MARKETING", "language": "en_US", "active": false}');
-- a text with the same placeholders keeps the order, another one does not
SELECT wa_set_template('selesai', '{"body": "Yth. {{partner_name}}, izin {{permit_type}} Saudara sudah selesai dengan nomor {{permit_number}} hari ini."}') -> 'parameters';
SELECT wa_set_template('selesai', '{"body": "Yth. {{partner_name}}, izin {{permit_type}} Saudara sudah selesai hari ini."}') -> 'parameters';

-- mistakes
\set VERBOSITY default
SELECT wa_set_template('baru', '{}');
SELECT wa_set_template('baru', '{"text": "x"}');
SELECT wa_set_template('baru', '{"body": "Yth. {{a}}, {{b}} ini.", "parameters": ["a"]}');
SELECT wa_set_template('baru', '{"body": "Yth. {{Nama}} ini."}');
\set VERBOSITY terse
SELECT wa_set_template('Baru', '{"body": "x"}');
SELECT wa_set_template(NULL, '{"body": "x"}');
SELECT wa_set_template('baru', '{"body": ""}');
SELECT wa_set_template('baru', '{"body": " \n "}');
SELECT wa_set_template('baru', '{"body": 5}');
SELECT wa_set_template('baru', '{"body": "Yth. {{a} ini."}');
SELECT wa_set_template('baru', '{"body": "Yth. {{}} ini."}');
SELECT wa_set_template('baru', jsonb_build_object('body', repeat('x', 4097)));
SELECT wa_set_template('baru', '{"body": "Yth. {{a}} ini.", "parameters": "a"}');
SELECT wa_set_template('baru', '{"body": "Yth. {{a}} ini.", "parameters": ["a", 1]}');
SELECT wa_set_template('baru', '{"body": "Yth. {{a}} ini.", "parameters": ["a", "a"]}');
SELECT wa_set_template('baru', '{"body": "Yth. {{a}} ini.", "parameters": ["A"]}');
SELECT wa_set_template('baru', '{"body": "x", "category": "utility"}');
SELECT wa_set_template('baru', '{"body": "x", "language": "bahasa Indonesia"}');
SELECT wa_set_template('baru', '{"body": "x", "name": ""}');
SELECT wa_set_template('baru', '{"body": "x", "active": null}');
SELECT wa_set_template('baru', 'null');
SELECT count(*) FROM wa.template WHERE key = 'baru';

-- what Meta would not approve
SELECT wa_set_template('meta', '{"body": "{{a}}, izin Saudara sudah selesai hari ini juga."}') -> 'parameters';
SELECT wa_set_template('meta', '{"body": "Izin Saudara sudah selesai hari ini dengan nomor {{a}}\n"}') -> 'parameters';
SELECT wa_set_template('meta', '{"body": "Yth. {{a}} {{b}}, izin Saudara sudah selesai hari ini."}') -> 'parameters';
SELECT wa_set_template('meta', '{"body": "Yth. {{a}} dan {{b}} atau {{c}} selesai."}') -> 'parameters';
SELECT wa_set_template('meta', jsonb_build_object('body', repeat('x ', 513))) -> 'parameters';
SELECT wa_set_template('meta', '{"body": "Izin {{a_name_longer_than_twenty_characters}} sudah selesai."}') -> 'parameters';
SELECT wa_set_template('meta', '{"body": "Izin Saudara sudah selesai.", "parameters": ["a"]}') -> 'parameters';

-- mappings
SELECT wa_map_template('selesai', 'fonnte', '{}');
SELECT wa_configure('fonnte', '{"kind": "fonnte"}') ->> 'state' AS state;
SELECT wa_configure('meta', '{"kind": "meta"}') ->> 'state' AS state;
\set VERBOSITY default
SELECT wa_map_template('selesai', 'watzap', '{}');
SELECT wa_map_template('lain', 'fonnte', '{}');
SELECT wa_map_template('selesai', 'fonnte', '{"nama": "x"}');
SELECT wa_map_template('selesai', 'fonnte', '{"mode": "template", "id": "template_fonnte_001"}');
\set VERBOSITY terse
SELECT wa_map_template('selesai', 'fonnte', '{"mode": "text", "name": null}');
SELECT wa_map_template('selesai', 'meta', '{"name": "izin_selesai_diproses"}');
SELECT wa_map_template('selesai', 'meta', '{"language": "id", "format": "named", "parameters": ["permit_type", "partner_name"], "status": "approved"}');
SELECT wa_map_template('selesai', 'meta', '{"parameters": null}');
SELECT wa_map_template('selesai', 'meta', '{"mode": "text"}') ->> 'mode' AS mode;
SELECT wa_map_template('selesai', 'meta', '{"mode": "template", "name": null}') ->> 'mode' AS mode;
SELECT wa_map_template('selesai', 'meta', '{"name": "Izin Selesai"}');
SELECT wa_map_template('selesai', 'meta', '{"name": "a", "id": "b"}');
SELECT wa_map_template('selesai', 'meta', '{"id": 17}');
SELECT wa_map_template('selesai', 'meta', '{"mode": "html"}');
SELECT wa_map_template('selesai', 'meta', '{"status": "ok"}');
SELECT wa_map_template('selesai', 'meta', '{"language": "ID"}');
-- the code that Meta lists, whatever Odoo or the system calls it
SELECT wa_map_template('selesai', 'meta', '{"language": "id_ID"}') -> 'language' AS id_id;
SELECT wa_map_template('selesai', 'meta', '{"language": "en_US"}') -> 'language' AS en_us;
SELECT wa_set_template('selesai', '{"language": "in"}') -> 'language' AS "in";
SELECT wa_map_template('selesai', 'meta', '{"language": "en_ID"}');
SELECT wa_set_template('selesai', '{"language": "jv"}');
SELECT wa_map_template('selesai', 'meta', '{"language": "id"}') -> 'language' AS back;
SELECT wa_set_template('selesai', '{"language": "en_US"}') -> 'language' AS back;
SELECT wa_map_template('selesai', 'fonnte', '{"format": "named"}');
SELECT wa_map_template('selesai', 'fonnte', '{"parameters": [1]}');
SELECT wa_map_template(NULL, 'fonnte', '{}');
SELECT wa_map_template('selesai', NULL, '{}');
-- a mapping that a provider has refused is taken up again when it is changed
UPDATE wa.template_mapping SET status = 'error', last_error = 'no such template' WHERE provider = 'meta';
SELECT wa_map_template('selesai', 'meta', '{"name": "izin_selesai"}');

-- nobody below admin
SELECT wa_grant('regress_wa_sender', 'send');
SET ROLE regress_wa_sender;
SELECT wa_set_template('selesai', '{}');
SELECT wa_map_template('selesai', 'meta', '{}');
RESET ROLE;

-- a value that nobody has
SET client_min_messages = warning;
SELECT wa_map_template('selesai', 'fonnte', '{"parameters": ["permit_number", "permit_nomor"]}') ->> 'parameters' AS parameters;
DROP EXTENSION sicantik_wa CASCADE;
DROP ROLE regress_wa_sender;
