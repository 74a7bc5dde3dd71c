-- src/admin/import.sql: what Odoo's own module has configured.

CREATE FUNCTION pg_catalog.wa_import_odoo(OUT item text, OUT action text, OUT detail text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_import_odoo';
COMMENT ON FUNCTION pg_catalog.wa_import_odoo() IS
'take over what Odoo''s module sicantik_whatsapp has configured: providers with credentials (Meta''s from whatsapp_account, also accounts that no provider names), the default provider, templates (texts of the seven notifications beside ours, inactive), mappings with their order of parameters; a row for each thing taken, kept or not taken, and why: providers of other kinds, inactive templates, and parameters of a mapping for Meta that nobody supplies are named, too. Names in several languages come in Indonesian, else English. Never overwrites what was set here; can be called again. Needs level admin';

