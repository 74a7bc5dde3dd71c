-- src/compose/calendar.sql: scenarios that run once a day.

CREATE TABLE wa.daily_run (
    scenario text NOT NULL,
    day      date NOT NULL,
    ran_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    queued   integer NOT NULL DEFAULT 0,
    detail   text,
    error    text,
    error_said jsonb,
    attempts integer NOT NULL DEFAULT 1,
    retry_at timestamptz,
    CONSTRAINT daily_run_pkey PRIMARY KEY (scenario, day)
);
COMMENT ON TABLE wa.daily_run IS 'days on which a daily scenario has run; written together with its messages';
COMMENT ON COLUMN wa.daily_run.day IS 'in the office''s time zone';
COMMENT ON COLUMN wa.daily_run.queued IS 'messages that were queued';
COMMENT ON COLUMN wa.daily_run.detail IS 'the run in words; of one by wa_run_scenario(): by hand';
COMMENT ON COLUMN wa.daily_run.error IS 'why the run failed; NULL again when a later run of the same day has made up for it';
COMMENT ON COLUMN wa.daily_run.error_said IS 'as detail_said of wa.message, of error';
COMMENT ON COLUMN wa.daily_run.attempts IS 'runs that were tried on this day';
COMMENT ON COLUMN wa.daily_run.retry_at IS 'when a failed run is tried again; NULL: not any more';
COMMENT ON COLUMN wa.daily_run.scenario IS 'wa.scenario.key';
COMMENT ON COLUMN wa.daily_run.ran_at IS 'when the last run of the day was';

-- Is a daily scenario due at this moment, and when is the next time?  The
-- clock is an argument, so that every jump of it can be tried.  A day counts
-- as done by its row, whatever the clock did in between.
CREATE FUNCTION wa._daily_run_due(clock timestamptz, time_zone text, daily_at time, weekdays integer[],
    since timestamptz, done date[], OUT day date, OUT due boolean, OUT next timestamptz)
RETURNS record
LANGUAGE sql STABLE
SET search_path = pg_catalog
AS $$
    WITH local AS (
        SELECT (clock AT TIME ZONE time_zone)::date AS today
    ), candidate AS (
        SELECT d AS day, (d + daily_at) AT TIME ZONE time_zone AS at
          FROM local, generate_series(0, 8) AS n, LATERAL (SELECT today + n) AS t(d)
         WHERE (weekdays IS NULL OR extract(isodow FROM d)::integer = ANY (weekdays))
           AND d <> ALL (done)
    )
    SELECT l.today,
           coalesce(bool_or(c.day = l.today AND c.at <= clock AND c.at >= since), false),
           min(c.at) FILTER (WHERE c.at > clock)
      FROM local AS l LEFT JOIN candidate AS c ON true
     GROUP BY l.today
$$;
COMMENT ON FUNCTION wa._daily_run_due(timestamptz, text, time, integer[], timestamptz, date[]) IS
'is a daily scenario due at this moment, on which day, and when is it due next';

CREATE FUNCTION pg_catalog.wa_run_scenario(key text)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_run_scenario';
COMMENT ON FUNCTION pg_catalog.wa_run_scenario(text) IS
'runs a daily scenario now, whatever the time and whether or not it has run today; it is the run of this day, so the automatic one does not come any more, and is noted in wa.daily_run like that. Returns how many messages were queued and tells the rest in a notice. The first run of permit_expiry_warning announces nothing and counts what has been reached. Raises an error if the scenario is unknown or not a daily one. Needs level admin';
