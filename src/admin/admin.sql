-- src/admin/admin.sql: setup, configuration, rights, status.

-- The worker and the sessions hear of changed settings as well.
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.setting
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.holiday
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();

CREATE FUNCTION pg_catalog.wa_setup(despite_publication boolean DEFAULT false,
    OUT item text, OUT action text, OUT detail text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_setup';
COMMENT ON FUNCTION pg_catalog.wa_setup(boolean) IS
'attach the triggers to Odoo''s tables, make indexes of the contacts (who wants no messages, and whose a number is), and add missing templates, scenarios, providers and links; can be called again at any time. Returns a row for each thing found or done, at last what to type next (as wa_status() says then). Triggers and indexes need a caller who has the rights of the table''s owner. Raises an error where a publication publishes tables of schema wa, unless despite_publication. Needs level admin';

CREATE FUNCTION pg_catalog.wa_teardown(OUT item text, OUT action text, OUT detail text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_teardown';
COMMENT ON FUNCTION pg_catalog.wa_teardown() IS
'take the triggers off all tables and drop our indexes of the contacts, before DROP EXTENSION; wa.watch keeps the names of the tables, and wa_setup() puts all of it back. Returns a row for each table. Needs level admin';

CREATE FUNCTION pg_catalog.wa_configure(provider text, settings jsonb)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_configure';
COMMENT ON FUNCTION pg_catalog.wa_configure(text, jsonb) IS
'create or change a provider: kind (such as meta or fonnte; another word is answered with all of them), base_url, active, sequence, is_default, state, max_in_flight, min_gap, gap_jitter and recipient_gap (interval as text, or seconds), rate_per_second, daily_cap (messages a day), and the settings and credentials of its kind; a credential as value or, better, as name of a file: token_file. JSON null removes a value. A changed access (base URL, credential or the name of its file, a setting of the kind) must be tested again; the same values once more change nothing. Returns the provider as it is then, credentials as *** (given back, *** changes nothing, so the answer can be edited and given back), and what is missing. Raises an error that names an unknown or unsuitable setting, or one of which no request can be made. Needs level admin';

CREATE FUNCTION pg_catalog.wa_set_template(key text, settings jsonb)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_set_template';
COMMENT ON FUNCTION pg_catalog.wa_set_template(text, jsonb) IS
'create or change a template: name, body (text with {{name}} placeholders, at most 4096 characters), parameters (their order; left out: as in the body), category, language (a code that Meta lists: id_ID and in become id), active. Returns the template. Raises an error for a malformed body or a placeholder that is no parameter, a warning for what Meta would not approve. Needs level admin';

CREATE FUNCTION pg_catalog.wa_map_template(template_key text, provider text, settings jsonb)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_map_template';
COMMENT ON FUNCTION pg_catalog.wa_map_template(text, text, jsonb) IS
'say how a provider knows a template: name (or id), language, mode (template or text), format (positional or named), parameters (this provider''s own order), status (draft, configured, approved, error). JSON null removes a value. Returns the mapping. Raises an error for an unknown template, provider or setting. Needs level admin';

CREATE FUNCTION pg_catalog.wa_opt_in_qr(provider text, body text DEFAULT NULL, number text DEFAULT NULL)
RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'wa_sql_opt_in_qr';
COMMENT ON FUNCTION pg_catalog.wa_opt_in_qr(text, text, text) IS
'the link of wa_opt_in_link(), with the same arguments, as a code to be scanned with a telephone''s camera (QR), for a form or a poster: an SVG, 40 mm wide, that any size can be made of. Raises its errors, one for a text that is too long for a code, and one (0A000) where the server has no libqrencode. Needs level view';

CREATE FUNCTION pg_catalog.wa_sync_templates(provider text DEFAULT NULL,
    OUT provider_name text, OUT template_key text, OUT name text, OUT language text, OUT status text, OUT provider_status text, OUT detail text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_sync_templates';
COMMENT ON FUNCTION pg_catalog.wa_sync_templates(text) IS
'reads the list of templates of a provider (Meta: needs its setting waba_id) and brings the mappings to what it says: status, names of parameters and format, category, quality. provider NULL: of each one that has such a list. The worker does it by itself once a day, and when a webhook has told of a change. Returns a row for each mapping and for each other template of the list (template_key and status NULL); a list that cannot be read is a row with status error, and a warning. A mapping that is in error because of a message that was refused is approved again where the list fits. Waits at most a minute for each provider. Raises an error if there is no such provider or it has no list. Needs level admin';

CREATE FUNCTION pg_catalog.wa_template_export(key text, provider text DEFAULT NULL)
RETURNS jsonb
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'wa_sql_template_export';
COMMENT ON FUNCTION pg_catalog.wa_template_export(text, text) IS
'a template as Meta takes it, with an example for each parameter, to be pasted or given to its interface: with name, language, format and order of parameters of its mapping, or without a mapping by name. Raises an error if there is no such template or provider, or none can be made of it, a warning for what would not be approved. Needs level view';

CREATE FUNCTION pg_catalog.wa_submit_template(key text, provider text DEFAULT NULL)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_submit_template';
COMMENT ON FUNCTION pg_catalog.wa_submit_template(text, text) IS
'makes a template of ours (as wa_template_export() shows it) at the provider, by default the only one that has templates of its own, and notes it in its mapping: status draft until it is approved, then it is used by itself. One of its name that is there already is a draft too, with a warning: it is used when somebody has compared the texts and set status configured with wa_map_template(). Returns the mapping. Raises an error if the provider refuses it, with its reason, or in a copy of the database. Needs level admin';

CREATE FUNCTION pg_catalog.wa_set_scenario(key text, settings jsonb)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_set_scenario';
COMMENT ON FUNCTION pg_catalog.wa_set_scenario(text, jsonb) IS
'change the policy of a scenario: name, template_key, active, on_insert, exclusive, requires_opt_in, time_to_live, unknown_policy, priority, fallback, fallback_when_paced, staff_group, approver_group, hours_from and hours_to, weekdays, max_per_transaction, max_per_hour, max_per_day_and_number, news_days, muted_until, daily_at (of a daily one), thresholds, time_limit, as in wa.scenario. JSON null removes what may be left out. Returns the scenario as it is then; with {} it changes nothing. Raises an error that names an unknown or unsuitable setting. Needs level admin';

CREATE FUNCTION pg_catalog.wa_set(name text, value text)
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_set';
COMMENT ON FUNCTION pg_catalog.wa_set(text, text) IS
'change a setting of the office (table wa.setting); NULL or an empty value resets it. Returns the value in force, for time_zone with the time that it is there now. Raises an error for an unknown setting or a value that does not suit it; mode live is set by wa_arm() only. Needs level admin';

CREATE FUNCTION pg_catalog.wa_set_holidays(days jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_set_holidays';
COMMENT ON FUNCTION pg_catalog.wa_set_holidays(jsonb) IS
'enter days on which scenarios with sending hours or weekdays send nothing: an object of a name for each day, such as {"2027-01-01": "Tahun Baru"}; JSON null removes the day. Returns all that are to come, in the same form. What waits, or would have gone, is looked at again at once. Raises an error that names what is no date or no name. Needs level admin';

CREATE FUNCTION pg_catalog.wa_grant(role text, level text)
RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_grant';
COMMENT ON FUNCTION pg_catalog.wa_grant(text, text) IS
'let a role use the functions: level webhook (hand over what providers tell, and nothing else), view, send (and view) or admin (everything). Superusers and members of the database''s owner need no grant. Returns a sentence. Raises an error if there is no such role or level. Needs level admin';

CREATE FUNCTION pg_catalog.wa_revoke(role text)
RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_revoke';
COMMENT ON FUNCTION pg_catalog.wa_revoke(text) IS
'take back what wa_grant() gave. Returns a sentence. Raises an error if there is no such role. Needs level admin';

CREATE FUNCTION pg_catalog.wa_status(OUT item text, OUT value text, OUT detail text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_status';
COMMENT ON FUNCTION pg_catalog.wa_status() IS
'the state at a glance: library, worker, mode, providers, watched tables, messages made today or yesterday, what waits, what went wrong, and the most serious finding of wa_check() as what to do next. Details, and the value of the row next, are in the office''s language (setting language); items, the other values and "nothing" are the same in all. Works on a standby too. Needs level view';

CREATE FUNCTION wa._welcome()
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_welcome';
COMMENT ON FUNCTION wa._welcome() IS
'makes the key by which this database knows its folder of credentials, and gives a notice at commit that names the next step; called by the installation script and by updates';

SELECT wa._welcome();
