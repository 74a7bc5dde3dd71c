-- src/report/metrics.sql: figures for a monitoring system.

CREATE FUNCTION pg_catalog.wa_metrics(checks boolean DEFAULT true)
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_metrics';
COMMENT ON FUNCTION pg_catalog.wa_metrics(boolean) IS
'the state in Prometheus'' text format (version 0.0.4): what waits, the messages and attempts of the office''s day, providers, what the workers have done (wa.stat_worker), events that nobody has read, dead letters, and with checks => true what wa_check() finds, which reads Odoo''s tables too. Nothing of persons. Needs level view';
