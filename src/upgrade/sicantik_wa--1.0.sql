\echo Use "CREATE EXTENSION sicantik_wa" to load this file. \quit

-- src/sicantik_wa.sql: ownership and schema.  Pieces follow in the order of
-- the Makefile; rights and dump marks come last (src/rights.sql).

-- Every object belongs to the bootstrap superuser, whichever superuser runs
-- this script: nobody else can alter or drop them, or hang triggers on them.
-- (Run as a trusted extension the script already is that role.)  The setting
-- ends with the script.
SELECT pg_catalog.set_config('role', a.rolname, true)
  FROM pg_catalog.pg_authid AS a
 WHERE a.oid = 10 AND a.rolname <> current_user;

-- Fails if somebody has planted a schema of this name beforehand.
CREATE SCHEMA wa;
COMMENT ON SCHEMA wa IS 'sicantik_wa: ledger, configuration and event stream of the WhatsApp notifications';
-- src/admin/setting.sql: the office's settings, who may do what, and which
-- database this is.

CREATE TABLE wa.setting (
    name       text NOT NULL,
    value      text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT setting_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE wa.setting IS 'the office''s settings; wa_set() writes and checks them';

CREATE TABLE wa.access (
    role  text NOT NULL,
    level text NOT NULL,
    CONSTRAINT access_pkey PRIMARY KEY (role),
    CONSTRAINT access_level_check CHECK (level IN ('view', 'send', 'admin'))
);
COMMENT ON TABLE wa.access IS 'roles that may use the functions, besides superusers and the database''s owner; wa_grant() writes it';

CREATE TABLE wa.identity (
    one               boolean NOT NULL DEFAULT true,
    system_identifier text NOT NULL,
    database_oid      bigint NOT NULL,
    timeline          integer NOT NULL,
    odoo_uuid         text,
    odoo_neutralized  boolean NOT NULL DEFAULT false,
    instance          text,
    hold_message_id   bigint NOT NULL DEFAULT 0,
    hold_snapshot     pg_snapshot,
    hold_event_id     bigint NOT NULL DEFAULT 0,
    synchronous       boolean NOT NULL DEFAULT false,
    doubt_snapshot    pg_snapshot,
    doubt_until       timestamptz,
    stamped_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    stamped_by        text NOT NULL,
    CONSTRAINT identity_pkey PRIMARY KEY (one),
    CONSTRAINT identity_one_check CHECK (one)
);
COMMENT ON TABLE wa.identity IS 'the database that may send; a copy does not match it. Never dumped';
COMMENT ON COLUMN wa.identity.hold_message_id IS 'messages up to this id were there when a copy was armed: held';
COMMENT ON COLUMN wa.identity.hold_snapshot IS 'events visible in it were there when a copy was armed: their messages are held';
COMMENT ON COLUMN wa.identity.hold_event_id IS 'the same for events that came with a backup, whose transaction ids mean nothing here';
COMMENT ON COLUMN wa.identity.synchronous IS 'commits of this server wait for every standby that is connected; after a failover the new primary reads it';
COMMENT ON COLUMN wa.identity.doubt_snapshot IS 'events visible in it were there at a failover: the former primary may have sent their messages';
COMMENT ON COLUMN wa.identity.doubt_until IS 'when that failover was: daily runs that were due before may have been made by the former primary';
-- src/capture/capture.sql: what is watched, and what happened to it.

CREATE TABLE wa.watch (
    relation    text NOT NULL,
    owner       text NOT NULL,
    columns     text[] NOT NULL,
    attached_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT watch_pkey PRIMARY KEY (relation)
);
COMMENT ON TABLE wa.watch IS 'tables whose changes are captured; wa_setup() writes it';
COMMENT ON COLUMN wa.watch.relation IS 'schema-qualified name, quoted where SQL needs it';
COMMENT ON COLUMN wa.watch.owner IS 'role that owned the table when it was attached; nothing is recorded for a table of somebody else';
COMMENT ON COLUMN wa.watch.columns IS 'columns whose change makes an event; those the table lacks are skipped';

CREATE SEQUENCE wa.event_id_seq CACHE 1;
CREATE TABLE wa.event (
    id        bigint NOT NULL DEFAULT pg_catalog.nextval('wa.event_id_seq'),
    xact      xid8 NOT NULL,
    command   bigint NOT NULL,
    at        timestamptz NOT NULL,
    relation  text NOT NULL,
    record_id bigint,
    columns   text[] NOT NULL,
    old       text[],
    new       text[] NOT NULL
);
ALTER SEQUENCE wa.event_id_seq OWNED BY wa.event.id;
-- The only index, and not unique: nothing here may make the application's
-- write fail or wait.
CREATE INDEX event_xact_idx ON wa.event (xact);
ALTER TABLE wa.event REPLICA IDENTITY FULL;
-- vacuum_truncate takes ACCESS EXCLUSIVE, which would make capture drop events
ALTER TABLE wa.event SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off, toast.vacuum_truncate = off);
COMMENT ON TABLE wa.event IS 'changes of watched tables, one row per changed row and statement, written in the transaction that made the change';
COMMENT ON COLUMN wa.event.xact IS 'top-level transaction that made the change';
COMMENT ON COLUMN wa.event.command IS 'command within that transaction; orders changes of one record';
COMMENT ON COLUMN wa.event.columns IS 'names of the watched columns, in the order of old and new';
COMMENT ON COLUMN wa.event.old IS 'values before the change as text, at most 8 kB each; NULL for an INSERT';

CREATE TABLE wa.capture_gap (
    id         bigint GENERATED BY DEFAULT AS IDENTITY,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    events     bigint NOT NULL,
    reason     text NOT NULL,
    noted_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT capture_gap_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE wa.capture_gap IS 'spans of time in which changes could not be captured without disturbing the application; scan the watched tables for them again';

CREATE FUNCTION wa.capture()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'wa_sql_capture';
COMMENT ON FUNCTION wa.capture() IS
'trigger function on watched tables: records changes of watched columns in wa.event; never raises an error of its own, never waits for a lock; does nothing on a table that wa.watch does not name';

CREATE FUNCTION wa.changed()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'wa_sql_changed';
COMMENT ON FUNCTION wa.changed() IS
'statement trigger on configuration tables: tells caches and the worker at commit';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.watch
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();
-- src/route/route.sql: providers, and the choice between them.

CREATE TABLE wa.provider (
    name            text NOT NULL,
    kind            text NOT NULL,
    base_url        text,
    active          boolean NOT NULL DEFAULT true,
    sequence        integer NOT NULL DEFAULT 10,
    is_default      boolean NOT NULL DEFAULT false,
    state           text NOT NULL DEFAULT 'draft',
    settings        jsonb NOT NULL DEFAULT '{}',
    max_in_flight   integer NOT NULL DEFAULT 1,
    min_gap         interval NOT NULL DEFAULT '8 seconds',
    gap_jitter      interval NOT NULL DEFAULT '4 seconds',
    rate_per_second double precision,
    daily_cap       integer,
    recipient_gap   interval NOT NULL DEFAULT '0',
    last_error      text,
    last_error_at   timestamptz,
    tested_at       timestamptz,
    paused_at       timestamptz,
    paused_by       text,
    probe_at        timestamptz,
    failed_probes   integer NOT NULL DEFAULT 0,
    quota_left      bigint,
    quota_at        timestamptz,
    CONSTRAINT provider_pkey PRIMARY KEY (name),
    CONSTRAINT provider_state_check CHECK (state IN ('draft', 'configured', 'error')),
    CONSTRAINT provider_max_in_flight_check CHECK (max_in_flight BETWEEN 1 AND 1000),
    CONSTRAINT provider_min_gap_check CHECK (min_gap >= '0' AND min_gap <= '1 day'),
    CONSTRAINT provider_gap_jitter_check CHECK (gap_jitter >= '0' AND gap_jitter <= '1 day'),
    CONSTRAINT provider_rate_per_second_check CHECK (rate_per_second > 0),
    CONSTRAINT provider_daily_cap_check CHECK (daily_cap >= 0),
    CONSTRAINT provider_recipient_gap_check CHECK (recipient_gap >= '0' AND recipient_gap <= '1 day')
);
COMMENT ON TABLE wa.provider IS 'providers; wa_configure() writes it, secrets are kept in wa.secret or in files';
COMMENT ON COLUMN wa.provider.state IS 'draft: not tested; configured: usable; error: see last_error';
COMMENT ON COLUMN wa.provider.paused_at IS 'paused by hand since then (wa_pause, wa_resume); NULL: not paused';
COMMENT ON COLUMN wa.provider.probe_at IS 'state error: when the worker tests the connection again';
COMMENT ON COLUMN wa.provider.failed_probes IS 'state error: connection tests that have failed since it came';
COMMENT ON COLUMN wa.provider.quota_left IS 'messages left, as the provider said last; NULL: it does not say';
COMMENT ON COLUMN wa.provider.max_in_flight IS 'requests at one time';
COMMENT ON COLUMN wa.provider.min_gap IS 'least time between two messages, changed by up to gap_jitter both ways';
COMMENT ON COLUMN wa.provider.rate_per_second IS 'most messages a second; NULL: no limit';
COMMENT ON COLUMN wa.provider.daily_cap IS 'most messages a day of the office; NULL: no limit';
COMMENT ON COLUMN wa.provider.recipient_gap IS 'least time between two messages to one number';

-- Readable by nobody through SQL: no grants, no constraint that could print a
-- row, not dumped; read and written by heap access only.
CREATE TABLE wa.secret (
    provider text NOT NULL,
    name     text NOT NULL,
    value    text NOT NULL
);
ALTER TABLE wa.secret REPLICA IDENTITY FULL;
-- ANALYZE must not put credentials into pg_statistic
ALTER TABLE wa.secret ALTER COLUMN provider SET STATISTICS 0, ALTER COLUMN name SET STATISTICS 0,
    ALTER COLUMN value SET STATISTICS 0;
COMMENT ON TABLE wa.secret IS 'credentials of providers, write-only through wa_configure()';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.provider
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();
-- src/route/pause.sql: the switch of a provider.

CREATE FUNCTION pg_catalog.wa_pause(provider text)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_pause';
COMMENT ON FUNCTION pg_catalog.wa_pause(text) IS
'stops using a provider (null: every one) until wa_resume(): its messages go by others or wait, requests on the wire are not touched. Returns how many were paused now, and says which were before. Raises an error if the provider is unknown. Needs level admin';

CREATE FUNCTION pg_catalog.wa_resume(provider text)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_resume';
COMMENT ON FUNCTION pg_catalog.wa_resume(text) IS
'takes back wa_pause() for a provider (null: for every one). Returns how many were paused, and says which were not or cannot be used for another reason. Raises an error if the provider is unknown. Needs level admin';
-- src/compose/compose.sql: templates, scenarios, and the reader's position.

CREATE TABLE wa.template (
    key        text NOT NULL,
    name       text NOT NULL,
    body       text NOT NULL,
    parameters text[] NOT NULL DEFAULT '{}',
    category   text NOT NULL DEFAULT 'UTILITY',
    language   text NOT NULL DEFAULT 'id',
    active     boolean NOT NULL DEFAULT true,
    CONSTRAINT template_pkey PRIMARY KEY (key),
    CONSTRAINT template_category_check CHECK (category IN ('UTILITY', 'MARKETING', 'AUTHENTICATION'))
);
COMMENT ON TABLE wa.template IS 'message templates; wa_set_template() writes it';
COMMENT ON COLUMN wa.template.body IS 'text with {{name}} placeholders';
COMMENT ON COLUMN wa.template.parameters IS 'parameter names in the order in which a provider with templates of its own gets them';

CREATE TABLE wa.template_mapping (
    template_key  text NOT NULL,
    provider      text NOT NULL,
    mode          text NOT NULL DEFAULT 'template',
    name          text,
    language      text,
    format        text NOT NULL DEFAULT 'positional',
    parameters    text[],
    status        text NOT NULL DEFAULT 'configured',
    last_error    text,
    last_error_at timestamptz,
    CONSTRAINT template_mapping_pkey PRIMARY KEY (template_key, provider),
    CONSTRAINT template_mapping_mode_check CHECK (mode IN ('template', 'text')),
    CONSTRAINT template_mapping_format_check CHECK (format IN ('positional', 'named')),
    CONSTRAINT template_mapping_status_check CHECK (status IN ('draft', 'configured', 'approved', 'error'))
);
COMMENT ON TABLE wa.template_mapping IS 'how a provider knows a template; wa_map_template() writes it';
COMMENT ON COLUMN wa.template_mapping.mode IS 'template: the provider''s own template; text: the rendered text';
COMMENT ON COLUMN wa.template_mapping.name IS 'the provider''s name or id of the template';
COMMENT ON COLUMN wa.template_mapping.parameters IS 'this provider''s order of parameters; NULL: the template''s own';
COMMENT ON COLUMN wa.template_mapping.status IS 'draft and error mappings are not used';

CREATE TABLE wa.scenario (
    key             text NOT NULL,
    name            text NOT NULL,
    watch           text,
    template_key    text NOT NULL,
    composer        text NOT NULL,
    active          boolean NOT NULL DEFAULT true,
    on_insert       boolean NOT NULL DEFAULT true,
    exclusive       boolean NOT NULL DEFAULT true,
    requires_opt_in boolean NOT NULL DEFAULT true,
    time_to_live    interval NOT NULL DEFAULT '1 day',
    unknown_policy  text NOT NULL DEFAULT 'resend',
    priority        text NOT NULL DEFAULT 'normal',
    fallback        boolean NOT NULL DEFAULT true,
    fallback_when_paced boolean NOT NULL DEFAULT false,
    staff_group     text,
    approver_group  text,
    hours_from      time DEFAULT '07:00',
    hours_to        time DEFAULT '20:00',
    weekdays        integer[],
    max_per_transaction integer DEFAULT 25,
    max_per_hour    integer DEFAULT 60,
    max_per_day_and_number integer DEFAULT 10,
    news_days       integer DEFAULT 30,
    muted_until     timestamptz,
    daily_at        time,
    thresholds      integer[] NOT NULL DEFAULT '{90,60,30,7}',
    created_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    time_limit      interval NOT NULL DEFAULT '5 seconds',
    CONSTRAINT scenario_pkey PRIMARY KEY (key),
    CONSTRAINT scenario_time_limit_check CHECK (time_limit >= '10 milliseconds' AND time_limit <= '1 minute'),
    CONSTRAINT scenario_time_to_live_check CHECK (time_to_live > '0' AND time_to_live <= '30 days'),
    CONSTRAINT scenario_unknown_policy_check CHECK (unknown_policy IN ('resend', 'give up', 'hold')),
    CONSTRAINT scenario_priority_check CHECK (priority IN ('high', 'normal', 'low')),
    CONSTRAINT scenario_hours_check CHECK ((hours_from IS NULL) = (hours_to IS NULL) AND hours_from < hours_to),
    CONSTRAINT scenario_weekdays_check CHECK (weekdays <@ '{1,2,3,4,5,6,7}' AND pg_catalog.cardinality(weekdays) > 0),
    CONSTRAINT scenario_thresholds_check CHECK (0 <= ALL (thresholds) AND 3650 >= ALL (thresholds)
        AND pg_catalog.cardinality(thresholds) <= 20),
    CONSTRAINT scenario_limits_check CHECK (max_per_transaction >= 0 AND max_per_hour >= 0
        AND max_per_day_and_number > 0 AND news_days >= 0)
);
COMMENT ON TABLE wa.scenario IS 'notifications and their policy; change with UPDATE';
COMMENT ON COLUMN wa.scenario.watch IS 'table it listens to, named without schema like Odoo''s (the schema is the setting odoo_schema); for a composer of your own with its schema, as in wa.watch. For a daily one of your own: the table that it is about, or NULL';
COMMENT ON COLUMN wa.scenario.composer IS 'built-in composer, named like its scenario; or a function of your own, with its schema: f(record_id bigint, old jsonb, new jsonb) RETURNS TABLE (partner_id bigint, number text, params jsonb), and if wanted res_model text, res_id bigint, once text, still jsonb; a daily one is called with NULL, NULL and {"day": "YYYY-MM-DD"}';
COMMENT ON COLUMN wa.scenario.time_limit IS 'a composer of your own that takes longer is canceled';
COMMENT ON COLUMN wa.scenario.on_insert IS 'a row that is born with the condition fires too';
COMMENT ON COLUMN wa.scenario.exclusive IS 'gives way to a more specific scenario for the same person, record and transaction';
COMMENT ON COLUMN wa.scenario.requires_opt_in IS 'Meta only with the applicant''s opt-in or inside the 24-hour window';
COMMENT ON COLUMN wa.scenario.time_to_live IS 'a message not sent by then expires';
COMMENT ON COLUMN wa.scenario.unknown_policy IS 'what to do when it is not known whether the provider took a message';
COMMENT ON COLUMN wa.scenario.daily_at IS 'runs once a day from this time on, in the office''s time zone and on its weekdays; NULL: listens to a table instead';
COMMENT ON COLUMN wa.scenario.thresholds IS 'days left at which an expiry is announced';
COMMENT ON COLUMN wa.scenario.created_at IS 'a daily time before this does not count';
COMMENT ON COLUMN wa.scenario.fallback IS 'another provider may take a message over after a refusal';
COMMENT ON COLUMN wa.scenario.fallback_when_paced IS 'a message does not wait for the pacing of one provider where another has room';
COMMENT ON COLUMN wa.scenario.approver_group IS 'Odoo group (module.name) that is asked to approve a document for which nobody is named within an hour';
COMMENT ON COLUMN wa.scenario.staff_group IS 'Odoo group (module.name) whose members get it as well';
COMMENT ON COLUMN wa.scenario.hours_from IS 'sent from this time of day on, in the office''s time zone; NULL: at any time';
COMMENT ON COLUMN wa.scenario.hours_to IS 'and not from this time of day on';
COMMENT ON COLUMN wa.scenario.weekdays IS 'days on which it is sent, 1 Monday to 7 Sunday; NULL: every day';
COMMENT ON COLUMN wa.scenario.max_per_transaction IS 'more messages than this from one transaction are held; NULL: no limit';
COMMENT ON COLUMN wa.scenario.max_per_hour IS 'more messages than this in an hour are held; NULL: no limit';
COMMENT ON COLUMN wa.scenario.max_per_day_and_number IS 'a number that got this many messages of any scenario in 24 hours gets no more: they are held; NULL: no limit';
COMMENT ON COLUMN wa.scenario.news_days IS 'a permit that was issued, or has expired, longer ago is no news; NULL: always news';
COMMENT ON COLUMN wa.scenario.muted_until IS 'events until then make no message, and a daily scenario announces nothing; wa_mute() sets it';

CREATE TABLE wa.passed (
    scenario text NOT NULL,
    minute   timestamptz NOT NULL,
    messages integer NOT NULL,
    CONSTRAINT passed_pkey PRIMARY KEY (scenario, minute)
);
COMMENT ON TABLE wa.passed IS 'messages of the last hour that were not held, by scenario and minute: what max_per_hour is compared with';

CREATE TABLE wa.position (
    one      boolean NOT NULL DEFAULT true,
    snapshot pg_snapshot NOT NULL,
    event_id bigint NOT NULL DEFAULT 0,
    purged_message_id bigint NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT position_pkey PRIMARY KEY (one),
    CONSTRAINT position_one_check CHECK (one)
);
COMMENT ON TABLE wa.position IS 'how far the event stream is read: events visible in this snapshot are handled';

COMMENT ON COLUMN wa.position.purged_message_id IS 'messages up to this id have lost number and text after the retention';

CREATE TABLE wa.waiting (
    document_id bigint NOT NULL,
    scenario    text NOT NULL,
    event_id    bigint NOT NULL,
    relation    text NOT NULL,
    due_at      timestamptz NOT NULL,
    CONSTRAINT waiting_pkey PRIMARY KEY (document_id, scenario)
);
COMMENT ON TABLE wa.waiting IS 'documents that wait for an approver to be named; when due, the group of the scenario is asked instead';

CREATE TABLE wa.event_outcome (
    id        bigint GENERATED BY DEFAULT AS IDENTITY,
    event_id  bigint NOT NULL,
    relation  text NOT NULL,
    record_id bigint,
    scenario  text,
    outcome   text NOT NULL,
    detail    text,
    at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT event_outcome_pkey PRIMARY KEY (id)
);
CREATE INDEX event_outcome_record_idx ON wa.event_outcome (record_id);
COMMENT ON TABLE wa.event_outcome IS 'why an event made no message';

CREATE TABLE wa.dead_letter (
    id        bigint GENERATED BY DEFAULT AS IDENTITY,
    event_id  bigint NOT NULL,
    relation  text NOT NULL,
    record_id bigint,
    columns   text[] NOT NULL,
    old       text[],
    new       text[] NOT NULL,
    event_at  timestamptz NOT NULL,
    error     text NOT NULL,
    at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    scenario  text,
    CONSTRAINT dead_letter_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE wa.dead_letter IS 'events whose composer failed, with their own copy of the change and the error';
COMMENT ON COLUMN wa.dead_letter.scenario IS 'the scenario of your own that failed, while the others went on; NULL: nothing was made of the event';

CREATE INDEX dead_letter_event_idx ON wa.dead_letter (event_id);

CREATE FUNCTION pg_catalog.wa_replay(event bigint)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_replay';
COMMENT ON FUNCTION pg_catalog.wa_replay(bigint) IS
'compose a dead letter (wa.dead_letter.event_id) again, after its cause was mended; returns the number of messages made, and removes the dead letter. If it still fails, raises the error and keeps the dead letter; nothing is ever replayed by itself. Needs level admin';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.template
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.template_mapping
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.scenario
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();

CREATE FUNCTION pg_catalog.wa_mute(scenario text, until timestamptz)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_mute';
COMMENT ON FUNCTION pg_catalog.wa_mute(text, timestamptz) IS
'let events of a scenario make no message until this time, for a planned import for example (NULL: no longer). A daily scenario counts nothing as announced meanwhile: what is still due then comes afterwards. Returns 1; raises an error if there is no such scenario. Needs level admin';

CREATE FUNCTION pg_catalog.wa_render(template_key text, params jsonb)
RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_render';
COMMENT ON FUNCTION pg_catalog.wa_render(text, jsonb) IS
'the message as the citizen reads it; raises an error if the template is unknown or a parameter is missing';

CREATE FUNCTION pg_catalog.wa_convert_params(template_key text, kind text, params jsonb)
RETURNS jsonb
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_convert_params';
COMMENT ON FUNCTION pg_catalog.wa_convert_params(text, text, jsonb) IS
'parameters in the form of a kind of provider: meta (list of text parameters; named if the mapping says so), watzap {"1": ..} or fonnte {"var1": ..}; raises an error if one is missing';

CREATE FUNCTION pg_catalog.wa_normalize_number(number text)
RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'wa_sql_normalize_number';
COMMENT ON FUNCTION pg_catalog.wa_normalize_number(text) IS
'digits of the first usable mobile number in the text, in international form without "+" (E.164); NULL if there is none';
-- src/queue/queue.sql: the ledger.
--
-- wa.message tells the story and is wide; it is written when a message is
-- made, claimed and finished.  What changes often lives in narrow tables:
-- wa.ready (work that may go now or is on the wire; no index but its key, read
-- forward by id, so that dead rows behind the position are never visited) and
-- wa.due (work that has a time).  Neither is dumped: after a restore nothing
-- is ready until a person says so.

CREATE SEQUENCE wa.message_id_seq CACHE 1;
CREATE TABLE wa.message (
    id                  bigint NOT NULL DEFAULT pg_catalog.nextval('wa.message_id_seq'),
    scenario            text,
    template_key        text,
    partner_id          bigint,
    number              text,
    number_source       text,
    params              jsonb,
    body                text,
    res_model           text,
    res_id              bigint,
    wanted_provider     text,
    provider            text,
    provider_message_id text,
    state               text NOT NULL DEFAULT 'queued',
    reason              text,
    detail              text,
    route               text,
    priority            text NOT NULL DEFAULT 'normal',
    requires_opt_in     boolean NOT NULL DEFAULT false,
    unknown_policy      text NOT NULL DEFAULT 'resend',
    fallback            boolean NOT NULL DEFAULT true,
    fallback_when_paced boolean NOT NULL DEFAULT false,
    tried               text[],
    waits               integer NOT NULL DEFAULT 0,
    repeats             integer NOT NULL DEFAULT 0,
    due_at              timestamptz,
    expires_at          timestamptz,
    attempts            integer NOT NULL DEFAULT 0,
    created_at          timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    created_by          text,
    sent_at             timestamptz,
    delivered_at        timestamptz,
    read_at             timestamptz,
    finished_at         timestamptz,
    dedupe_key          text,
    event_id            bigint,
    still               jsonb,
    CONSTRAINT message_pkey PRIMARY KEY (id),
    CONSTRAINT message_state_check CHECK (state IN ('queued', 'sending', 'sent', 'delivered', 'read', 'failed',
        'unknown', 'held', 'skipped', 'cancelled', 'superseded', 'expired')),
    CONSTRAINT message_priority_check CHECK (priority IN ('high', 'normal', 'low'))
) WITH (fillfactor = 70);
ALTER SEQUENCE wa.message_id_seq OWNED BY wa.message.id;
CREATE INDEX message_record_idx ON wa.message (res_id, res_model) WHERE res_id IS NOT NULL;
CREATE INDEX message_number_idx ON wa.message (number);
ALTER TABLE wa.message SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
COMMENT ON TABLE wa.message IS 'the ledger: one row per message and its whole story';
COMMENT ON COLUMN wa.message.scenario IS 'scenario that made it; NULL: sent by hand';
COMMENT ON COLUMN wa.message.number IS 'recipient, E.164 digits without "+"';
COMMENT ON COLUMN wa.message.number_source IS 'column that the number came from, or "given"';
COMMENT ON COLUMN wa.message.body IS 'the text as the citizen reads it';
COMMENT ON COLUMN wa.message.wanted_provider IS 'provider demanded by the sender; NULL: routed';
COMMENT ON COLUMN wa.message.state IS 'queued, sending, sent, delivered, read, failed, unknown, held, skipped, cancelled, superseded or expired';
COMMENT ON COLUMN wa.message.reason IS 'reason code of the state';
COMMENT ON COLUMN wa.message.detail IS 'the reason as a sentence';
COMMENT ON COLUMN wa.message.route IS 'why this provider, and which candidates were refused';
COMMENT ON COLUMN wa.message.fallback IS 'another provider may take it over after a refusal';
COMMENT ON COLUMN wa.message.fallback_when_paced IS 'it does not wait for the pacing of one provider where another has room';
COMMENT ON COLUMN wa.message.tried IS 'providers that have refused it since the last back-off wait';
COMMENT ON COLUMN wa.message.waits IS 'back-off waits so far';
COMMENT ON COLUMN wa.message.repeats IS 'how often it was sent again although an earlier attempt may have been accepted';
COMMENT ON COLUMN wa.message.unknown_policy IS 'what to do where it is not known whether the provider took it: resend, give up or hold';
COMMENT ON COLUMN wa.message.due_at IS 'not before this time (state unknown: when the policy for it is carried out); NULL: at once';
COMMENT ON COLUMN wa.message.expires_at IS 'not sent after this time';
COMMENT ON COLUMN wa.message.still IS 'columns of the record with the values that they must still have when the message goes out';
COMMENT ON COLUMN wa.message.dedupe_key IS 'a second message with the same key is skipped';

CREATE TABLE wa.attempt (
    message_id    bigint NOT NULL,
    attempt       integer NOT NULL,
    provider      text NOT NULL,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    http_status   integer,
    provider_code text,
    outcome       text NOT NULL,
    response      text,
    CONSTRAINT attempt_pkey PRIMARY KEY (message_id, attempt)
);
COMMENT ON TABLE wa.attempt IS 'one row per HTTP attempt that is over';
COMMENT ON COLUMN wa.attempt.outcome IS 'accepted, retry, throttle, provider, template, recipient, policy, caller or unknown';
COMMENT ON COLUMN wa.attempt.response IS 'the provider''s answer, shortened, without secrets';

CREATE TABLE wa.ready (
    message_id bigint NOT NULL,
    xact       xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    claimed_at timestamptz,
    provider   text,
    attempt    integer,
    timeline   integer NOT NULL DEFAULT 0,
    CONSTRAINT ready_pkey PRIMARY KEY (message_id)
) WITH (fillfactor = 50);
ALTER TABLE wa.ready SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
COMMENT ON TABLE wa.ready IS 'messages that may go now, and (claimed_at set) those on the wire';
COMMENT ON COLUMN wa.ready.timeline IS 'of the server when the message was written; after a failover, what is of an older one is in doubt';

CREATE TABLE wa.due (
    message_id bigint NOT NULL,
    due_at     timestamptz NOT NULL,
    timeline   integer NOT NULL DEFAULT 0,
    CONSTRAINT due_pkey PRIMARY KEY (message_id)
);
CREATE INDEX due_at_idx ON wa.due (due_at);
ALTER TABLE wa.due SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
COMMENT ON TABLE wa.due IS 'messages that wait for a time: scheduled, delayed or to be tried again';
COMMENT ON COLUMN wa.due.timeline IS 'as in wa.ready';

CREATE TABLE wa.once (
    key        text NOT NULL,
    message_id bigint NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT once_pkey PRIMARY KEY (key)
);
CREATE INDEX once_message_idx ON wa.once (message_id);
COMMENT ON TABLE wa.once IS 'what has been announced and is not announced again, for ever or for a while; only the worker writes it';

CREATE TABLE wa.request (
    id           bigint GENERATED BY DEFAULT AS IDENTITY,
    action       text NOT NULL,
    message_id   bigint NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    detail       jsonb,
    CONSTRAINT request_pkey PRIMARY KEY (id),
    CONSTRAINT request_action_check CHECK (action IN ('cancel', 'retry', 'release', 'settle'))
);
COMMENT ON TABLE wa.request IS 'wishes of operators, and what providers told later, that the worker has yet to carry out';
COMMENT ON COLUMN wa.request.detail IS 'action settle: attempt, accepted, provider_message_id, detail';
-- src/queue/operator.sql: what people do with messages.

CREATE FUNCTION pg_catalog.wa_result(message bigint)
RETURNS jsonb
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_result';
COMMENT ON FUNCTION pg_catalog.wa_result(bigint) IS
'what became of a message: success (null while it is not over), state, provider, message_id (the provider''s) and error, with numbers masked below level admin; NULL if there is no such message. Needs level view';

CREATE FUNCTION pg_catalog.wa_cancel(message bigint)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_cancel';
COMMENT ON FUNCTION pg_catalog.wa_cancel(bigint) IS
'cancel a message that is waiting: queued, held, or of unknown outcome and to be repeated (it stays unknown, but is not repeated). The worker carries it out; if the message has been sent by then, wa_why() tells so. Returns 1, or 0 with a notice that says why. Needs level send';

CREATE FUNCTION pg_catalog.wa_retry(message bigint)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_retry';
COMMENT ON FUNCTION pg_catalog.wa_retry(bigint) IS
'send a message again that has failed, expired, was skipped or cancelled, or has an unknown outcome, or try one at once that waits for another attempt. The worker looks the contact''s number up again, unless it was given by hand; it then has at least one day left. Returns 1, or 0 with a notice that says why. Needs level send';

CREATE FUNCTION pg_catalog.wa_cancel(scenario text DEFAULT NULL, since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL, provider text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_cancel_many';
COMMENT ON FUNCTION pg_catalog.wa_cancel(text, timestamptz, timestamptz, text) IS
'cancel the messages of a scenario, of a provider (the last one that had it, or that it was demanded for), or of both, that are waiting, those created from since on and before until; as wa_cancel(bigint). Returns how many were asked for, with a notice how many are left alone and why. Raises an error where neither scenario nor provider is given, or one is unknown. Needs level send';

CREATE FUNCTION pg_catalog.wa_retry(scenario text DEFAULT NULL, since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL, provider text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_retry_many';
COMMENT ON FUNCTION pg_catalog.wa_retry(text, timestamptz, timestamptz, text) IS
'send again the messages of a scenario, of a provider (the last one that had it, or that it was demanded for), or of both, that have failed or expired, have an unknown outcome, had no number, or wait for another attempt, those created from since on and before until; not those that were skipped for another reason or cancelled; as wa_retry(bigint). Returns how many were asked for, with a notice how many are left alone and why. Raises an error where neither scenario nor provider is given, or one is unknown. Needs level send';

CREATE FUNCTION pg_catalog.wa_release(scenario text DEFAULT NULL, maximum integer DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_release';
COMMENT ON FUNCTION pg_catalog.wa_release(text, integer) IS
'let held messages go, oldest first: of one scenario or of all (NULL), at most maximum (NULL: all). Returns how many. Needs level admin';

CREATE FUNCTION wa._settle(message bigint, attempt integer, provider_message_id text, accepted boolean, detail text)
RETURNS boolean
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_settle';
COMMENT ON FUNCTION wa._settle(bigint, integer, text, boolean, text) IS
'note what the provider told later about an attempt whose answer was lost: accepted, under provider_message_id (may be null), or not; detail: a sentence or null. The worker carries it out: accepted makes the message sent and drops a repeat; not accepted makes one of unknown outcome failed, unless a later attempt was made. Returns false if there is nothing to settle. Needs level admin';
-- src/compose/send.sql: messages by hand.

CREATE FUNCTION pg_catalog.wa_send(template_key text, partner_id bigint, params jsonb DEFAULT NULL,
    permit_id bigint DEFAULT NULL, provider text DEFAULT NULL, send_at timestamptz DEFAULT NULL,
    dedupe_key text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_send_partner';
COMMENT ON FUNCTION pg_catalog.wa_send(text, bigint, jsonb, bigint, text, timestamptz, text) IS
'queue a template message to a partner and return the message''s id; it goes out when the transaction commits. Parameters given win, the rest comes from the permit, the partner and the settings. send_at: not before this time; one that is over, ''-infinity'' too, means at once. Raises an error for an unknown template, partner, permit or provider, a missing or surplus parameter, a text over 4096 characters, send_at ''infinity''. Needs level send';

CREATE FUNCTION pg_catalog.wa_send(template_key text, number text, params jsonb DEFAULT NULL,
    permit_id bigint DEFAULT NULL, provider text DEFAULT NULL, send_at timestamptz DEFAULT NULL,
    dedupe_key text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_send_number';
COMMENT ON FUNCTION pg_catalog.wa_send(text, text, jsonb, bigint, text, timestamptz, text) IS
'queue a template message to a phone number and return the message''s id; otherwise like wa_send to a partner. Needs level send';

CREATE FUNCTION pg_catalog.wa_send_text(partner_id bigint, body text, provider text DEFAULT NULL,
    send_at timestamptz DEFAULT NULL, dedupe_key text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_send_text_partner';
COMMENT ON FUNCTION pg_catalog.wa_send_text(bigint, text, text, timestamptz, text) IS
'queue a free text (at most 4096 characters) to a partner and return the message''s id; Meta takes it only within 24 hours of the person''s last message. Needs level send';

CREATE FUNCTION pg_catalog.wa_send_text(number text, body text, provider text DEFAULT NULL,
    send_at timestamptz DEFAULT NULL, dedupe_key text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_send_text_number';
COMMENT ON FUNCTION pg_catalog.wa_send_text(text, text, text, timestamptz, text) IS
'queue a free text (at most 4096 characters) to a phone number and return the message''s id. Needs level send';

CREATE PROCEDURE pg_catalog.wa_try(number text, provider text DEFAULT NULL)
LANGUAGE c
AS 'MODULE_PATHNAME', 'wa_sql_try';
COMMENT ON PROCEDURE pg_catalog.wa_try(text, text) IS
'send one marked test message to a number, wait for the provider''s answer and tell the story in notices; cannot run inside a transaction block. Needs level send';
-- src/compose/calendar.sql: scenarios that run once a day.

CREATE TABLE wa.calendar (
    scenario text NOT NULL,
    day      date NOT NULL,
    ran_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    queued   integer NOT NULL DEFAULT 0,
    detail   text,
    error    text,
    attempts integer NOT NULL DEFAULT 1,
    retry_at timestamptz,
    CONSTRAINT calendar_pkey PRIMARY KEY (scenario, day)
);
COMMENT ON TABLE wa.calendar IS 'days on which a daily scenario has run; written together with its messages';
COMMENT ON COLUMN wa.calendar.day IS 'in the office''s time zone';
COMMENT ON COLUMN wa.calendar.queued IS 'messages that were queued';
COMMENT ON COLUMN wa.calendar.detail IS 'the run in words';
COMMENT ON COLUMN wa.calendar.error IS 'why the run failed; NULL again when wa_run_scenario() has made up for it';
COMMENT ON COLUMN wa.calendar.attempts IS 'runs that were tried on this day';
COMMENT ON COLUMN wa.calendar.retry_at IS 'when a failed run is tried again; NULL: not any more';

-- Is a daily scenario due at this moment, and when is the next time?  The
-- clock is an argument, so that every jump of it can be tried.  A day counts
-- as done by its row, whatever the clock did in between.
CREATE FUNCTION wa._calendar_due(clock timestamptz, time_zone text, daily_at time, weekdays integer[],
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
COMMENT ON FUNCTION wa._calendar_due(timestamptz, text, time, integer[], timestamptz, date[]) IS
'is a daily scenario due at this moment, on which day, and when is it due next';

CREATE FUNCTION pg_catalog.wa_run_scenario(key text)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_run_scenario';
COMMENT ON FUNCTION pg_catalog.wa_run_scenario(text) IS
'runs a daily scenario now, whatever the time and whether or not it has run today; returns how many messages were queued and tells the rest in a notice. Raises an error if the scenario is unknown or not a daily one. Needs level admin';
-- src/deliver/deliver.sql: the connection test.

CREATE FUNCTION pg_catalog.wa_test_connection(provider text,
    OUT ok boolean, OUT state text, OUT detail jsonb)
RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_test_connection';
COMMENT ON FUNCTION pg_catalog.wa_test_connection(text) IS
'asks the provider for its state, sends nothing, and sets wa.provider.state to configured or error; waits at most sicantik_wa.request_timeout. Raises an error if the provider is unknown. Needs level admin';
-- src/feedback/feedback.sql: consent and the 24-hour window.

CREATE TABLE wa.contact (
    number          text NOT NULL,
    opted_in_at     timestamptz,
    opted_out_at    timestamptz,
    source          text,
    last_inbound_at timestamptz,
    CONSTRAINT contact_pkey PRIMARY KEY (number)
);
COMMENT ON TABLE wa.contact IS 'what people said about getting messages; the later of opt-in and opt-out counts';
COMMENT ON COLUMN wa.contact.last_inbound_at IS 'last message from this number; opens Meta''s 24-hour window';
-- src/worker/worker.sql: which database may send.

CREATE FUNCTION pg_catalog.wa_arm(database_name text)
RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_arm';
COMMENT ON FUNCTION pg_catalog.wa_arm(text) IS
'let this database send: stamps its identity and sets mode live; the name must be that of the current database. In a copy, what was waiting before is held. Needs level admin';

CREATE FUNCTION pg_catalog.wa_disarm()
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_disarm';
COMMENT ON FUNCTION pg_catalog.wa_disarm() IS
'back to mode observe: only messages by hand go out. Needs level admin';
-- src/admin/admin.sql: setup, configuration, rights, status.

-- The worker and the sessions hear of changed settings as well.
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.setting
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();

CREATE FUNCTION pg_catalog.wa_setup(despite_publication boolean DEFAULT false,
    OUT item text, OUT action text, OUT detail text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_setup';
COMMENT ON FUNCTION pg_catalog.wa_setup(boolean) IS
'attach the triggers to Odoo''s tables and add missing templates, scenarios, providers and settings; can be called again at any time. Returns a row for each thing found or done. Triggers need a caller who has the rights of the table''s owner. Raises an error where a publication of all tables exists, unless despite_publication. Needs level admin';

CREATE FUNCTION pg_catalog.wa_teardown(OUT item text, OUT action text, OUT detail text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_teardown';
COMMENT ON FUNCTION pg_catalog.wa_teardown() IS
'take the triggers off all tables, before DROP EXTENSION; wa_setup() puts them on again. Returns a row for each table. Needs level admin';

CREATE FUNCTION pg_catalog.wa_configure(provider text, settings jsonb)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_configure';
COMMENT ON FUNCTION pg_catalog.wa_configure(text, jsonb) IS
'create or change a provider: kind (meta, watzap, fonnte), base_url, active, sequence, is_default, state, max_in_flight, min_gap, gap_jitter and recipient_gap (interval as text, or seconds), rate_per_second, daily_cap (messages a day), and what the kind needs; a credential as value or, better, as name of a file: token_file. JSON null removes a value. Returns the provider as it is then, credentials as ***, and what is missing. Raises an error that names an unknown or unsuitable setting. Needs level admin';

CREATE FUNCTION pg_catalog.wa_set_template(key text, settings jsonb)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_set_template';
COMMENT ON FUNCTION pg_catalog.wa_set_template(text, jsonb) IS
'create or change a template: name, body (text with {{name}} placeholders, at most 4096 characters), parameters (their order; left out: as in the body), category, language, active. Returns the template. Raises an error for a malformed body or a placeholder that is no parameter, a warning for what Meta would not approve. Needs level admin';

CREATE FUNCTION pg_catalog.wa_map_template(template_key text, provider text, settings jsonb)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_map_template';
COMMENT ON FUNCTION pg_catalog.wa_map_template(text, text, jsonb) IS
'say how a provider knows a template: name (or id), language, mode (template or text), format (positional or named), parameters (this provider''s own order), status (draft, configured, approved, error). JSON null removes a value. Returns the mapping. Raises an error for an unknown template, provider or setting. Needs level admin';

CREATE FUNCTION pg_catalog.wa_set(name text, value text)
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_set';
COMMENT ON FUNCTION pg_catalog.wa_set(text, text) IS
'change a setting of the office (table wa.setting); NULL or an empty value resets it. Returns the value in force. Raises an error for an unknown setting or a value that does not suit it; mode live is set by wa_arm() only. Needs level admin';

CREATE FUNCTION pg_catalog.wa_grant(role text, level text)
RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_grant';
COMMENT ON FUNCTION pg_catalog.wa_grant(text, text) IS
'let a role use the functions: level view, send (and view) or admin (everything). Superusers and members of the database''s owner need no grant. Returns a sentence. Raises an error if there is no such role or level. Needs level admin';

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
'the state at a glance: library, worker, mode, providers, watched tables, messages of the last 24 hours, what waits, what went wrong, and what to do next. Works on a standby too. Needs level view';

CREATE FUNCTION wa._welcome()
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_welcome';
COMMENT ON FUNCTION wa._welcome() IS
'gives a notice at commit that names the next step; called by the installation script';

SELECT wa._welcome();
-- src/admin/explain.sql: what would happen, and why.

CREATE FUNCTION pg_catalog.wa_determine_provider(partner_id bigint, template_key text,
    OUT provider text, OUT kind text, OUT reason text, OUT use_24h_window boolean)
RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_determine_provider';
COMMENT ON FUNCTION pg_catalog.wa_determine_provider(bigint, text) IS
'the routing decision as it would be now, with its reason and the candidates refused; provider is NULL if none can be used';

CREATE FUNCTION pg_catalog.wa_why(message bigint, OUT at timestamptz, OUT what text)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_why';
COMMENT ON FUNCTION pg_catalog.wa_why(bigint) IS
'the story of a message in words: who made it, the number and where it came from, the route, each attempt with the answer, the state with its reason, and what one can do. In the office''s language (setting language). Raises an error if there is no such message. Needs level view; below admin the middle of phone numbers is masked';

CREATE FUNCTION pg_catalog.wa_history(about text, OUT at timestamptz, OUT what text)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_history';
COMMENT ON FUNCTION pg_catalog.wa_history(text) IS
'everything about a phone number (in any spelling), a permit number, a registration id or a partner (''partner 42''): messages, events that made none and why, dead letters, events not yet read, consent. In the office''s language. Needs level view; below admin the middle of phone numbers is masked';

CREATE FUNCTION pg_catalog.wa_check(OUT item text, OUT state text, OUT what_to_do text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_check';
COMMENT ON FUNCTION pg_catalog.wa_check() IS
'the doctor: library, worker, mode, providers, templates, watched tables, how many citizens can be told, what went wrong lately, and other senders in this Odoo; a row for each with state ok, warning or error and what to do, in the office''s language (setting language). Changes nothing and calls no provider. Needs level view';

CREATE FUNCTION pg_catalog.wa_explain(template_key text, partner_id bigint, params jsonb DEFAULT NULL,
    permit_id bigint DEFAULT NULL, OUT at timestamptz, OUT what text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_explain';
COMMENT ON FUNCTION pg_catalog.wa_explain(text, bigint, jsonb, bigint) IS
'what wa_send() would do now, in words: the number and where it comes from, consent and 24-hour window, the route with its reason, the text, the parameters in the provider''s form, the mode. Sends and writes nothing; what is missing is told, not raised. In the office''s language. Needs level view; below admin the middle of phone numbers is masked';

CREATE FUNCTION pg_catalog.wa_import_odoo(OUT item text, OUT action text, OUT detail text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_import_odoo';
COMMENT ON FUNCTION pg_catalog.wa_import_odoo() IS
'take over what Odoo''s module sicantik_whatsapp has configured: providers with credentials (Meta''s from whatsapp_account, also accounts that no provider names), the default provider, templates (texts of the seven notifications beside ours, inactive), mappings with their order of parameters; a row for each thing taken, kept or not taken, and why. Never overwrites what was set here; can be called again. Needs level admin';
-- src/rights.sql: rights and dump marks, the last piece.
--
-- The database's owner reads and writes the tables, nobody else does.  PUBLIC
-- gets what a restored CREATE TRIGGER needs: pg_dump writes no grants that
-- were made later, and a restore as an unprivileged role checks them when the
-- trigger is created.

GRANT USAGE ON SCHEMA wa TO PUBLIC;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    wa.setting, wa.access, wa.identity,
    wa.watch, wa.event, wa.capture_gap,
    wa.template, wa.template_mapping, wa.scenario, wa.calendar, wa.position, wa.event_outcome, wa.dead_letter, wa.passed, wa.waiting,
    wa.message, wa.attempt, wa.ready, wa.due, wa.once, wa.request,
    wa.provider, wa.contact
    TO pg_database_owner;
GRANT USAGE, SELECT, UPDATE ON
    wa.event_id_seq, wa.capture_gap_id_seq, wa.event_outcome_id_seq, wa.dead_letter_id_seq,
    wa.message_id_seq, wa.request_id_seq
    TO pg_database_owner;

-- Configuration, ledger and unread events travel with a backup.  Credentials,
-- identity, position and what is ready to be sent do not: a restored database
-- must not be able to send.
SELECT pg_catalog.pg_extension_config_dump('wa.setting', '');
SELECT pg_catalog.pg_extension_config_dump('wa.access', '');
SELECT pg_catalog.pg_extension_config_dump('wa.watch', '');
SELECT pg_catalog.pg_extension_config_dump('wa.template', '');
SELECT pg_catalog.pg_extension_config_dump('wa.template_mapping', '');
SELECT pg_catalog.pg_extension_config_dump('wa.scenario', '');
SELECT pg_catalog.pg_extension_config_dump('wa.calendar', '');
SELECT pg_catalog.pg_extension_config_dump('wa.event_outcome', '');
SELECT pg_catalog.pg_extension_config_dump('wa.dead_letter', '');
SELECT pg_catalog.pg_extension_config_dump('wa.waiting', '');
SELECT pg_catalog.pg_extension_config_dump('wa.capture_gap', '');
SELECT pg_catalog.pg_extension_config_dump('wa.message', '');
SELECT pg_catalog.pg_extension_config_dump('wa.attempt', '');
SELECT pg_catalog.pg_extension_config_dump('wa.once', '');
SELECT pg_catalog.pg_extension_config_dump('wa.provider', '');
SELECT pg_catalog.pg_extension_config_dump('wa.contact', '');
SELECT pg_catalog.pg_extension_config_dump('wa.event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.capture_gap_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.event_outcome_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.dead_letter_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.message_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.event',
    'WHERE NOT EXISTS (SELECT FROM wa.position AS p WHERE pg_catalog.pg_visible_in_snapshot(event.xact, p.snapshot))');
