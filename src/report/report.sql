-- src/report/report.sql: the office's report.

CREATE FUNCTION pg_catalog.wa_report(since date DEFAULT NULL, until date DEFAULT NULL)
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_report';
COMMENT ON FUNCTION pg_catalog.wa_report(date, date) IS
'the report of a period, both days included, as one HTML page: what was sent, delivery by day, time to deliver, by scenario and provider, what failed or was held and what to do, what needs attention, what changed against as many days before. Without since: from the first of the month of until; without until: to yesterday, or of today where since is today, as the office has it (setting time_zone). In the office''s language; nothing of persons is in it, and it loads nothing. Raises an error where since is after until, or more than ten years before. Needs level view';
