-- wa_template_export(), and what wa_sync_templates() and wa_submit_template() refuse
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION sicantik_wa;
RESET client_min_messages;
CREATE ROLE regress_wa_viewer;
SELECT wa_set_template('izin-selesai', '{"body": "Yth. {{partner_name}},\n\nizin \"{{permit_type}}\" dengan nomor {{permit_number}} telah selesai. Unduh di {{download_link}} ya.\n\nTerima kasih."}') -> 'parameters';

-- without a provider and a mapping: by name
SELECT jsonb_pretty(wa_template_export('izin-selesai'));
-- as the mapping says
SELECT wa_configure('meta', '{"kind": "meta", "phone_number_id": "1065", "access_token": "secret"}') -> 'missing' AS missing;
SELECT wa_map_template('izin-selesai', 'meta', '{"name": "izin_siap", "language": "id", "format": "positional", "parameters": ["download_link", "partner_name", "permit_type", "permit_number"]}') ->> 'format' AS format;
SELECT wa_template_export('izin-selesai', 'meta') -> 'components' -> 0 AS body;
SELECT wa_template_export('izin-selesai', 'meta') - 'components' AS rest;
-- each position has to be there
SELECT wa_map_template('izin-selesai', 'meta', '{"parameters": ["partner_name", "permit_type", "permit_number", "download_link", "lain"]}') ->> 'format' AS format;
SELECT wa_template_export('izin-selesai');
SELECT wa_map_template('izin-selesai', 'meta', '{"parameters": null}') ->> 'format' AS format;
-- what would not be approved is said, and shown all the same
SELECT wa_set_template('pendek', '{"body": "{{a}} selesai {{b}}", "category": "MARKETING"}') ->> 'key' AS key;
SELECT wa_template_export('pendek') -> 'category' AS category;
-- no variable, no example
SELECT wa_set_template('tetap', '{"body": "Kantor tutup hari ini. Terima kasih."}') ->> 'key' AS key;
SELECT wa_template_export('tetap');

-- mistakes
SELECT wa_template_export('tidak-ada');
SELECT wa_template_export(NULL);
SELECT wa_template_export('tetap', 'lain');
SELECT wa_configure('fonnte', '{"kind": "fonnte"}') ->> 'state' AS state;
SELECT wa_template_export('tetap', 'fonnte');
SELECT wa_submit_template('tetap', 'fonnte');
\set VERBOSITY default
SELECT * FROM wa_sync_templates();
SELECT * FROM wa_sync_templates('meta');
SELECT * FROM wa_sync_templates('lain');
SELECT * FROM wa_sync_templates('fonnte');
SELECT wa_submit_template('tetap');
\set VERBOSITY terse
SELECT wa_configure('meta-2', '{"kind": "meta"}') ->> 'state' AS state;
SELECT wa_template_export('tetap');

-- levels
SET ROLE regress_wa_viewer;
SELECT wa_template_export('tetap', 'meta');
RESET ROLE;
SELECT wa_grant('regress_wa_viewer', 'view');
SET ROLE regress_wa_viewer;
SELECT wa_template_export('tetap', 'meta') ->> 'name' AS name;
SELECT * FROM wa_sync_templates();
SELECT wa_submit_template('tetap', 'meta');
RESET ROLE;
DROP ROLE regress_wa_viewer;
DROP EXTENSION sicantik_wa;
