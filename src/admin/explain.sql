-- src/admin/explain.sql: what would happen, and why.

CREATE FUNCTION pg_catalog.wa_determine_provider(partner_id bigint, template_key text,
    OUT provider text, OUT kind text, OUT reason text, OUT use_24h_window boolean)
RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_determine_provider';
COMMENT ON FUNCTION pg_catalog.wa_determine_provider(bigint, text) IS
'the routing decision as it would be now, with its reason and the candidates refused; provider is NULL if none can be used';
