-- src/compose/compose.sql: scenarios, and the reader's position.

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
COMMENT ON TABLE wa.scenario IS 'notifications and their policy; wa_set_scenario() changes it, or a plain UPDATE by the owner';
COMMENT ON COLUMN wa.scenario.watch IS 'table it listens to, named without schema like Odoo''s (the schema is the setting odoo_schema); for a composer of your own with its schema, as in wa.watch. For a daily one of your own: the table that it is about, or NULL';
COMMENT ON COLUMN wa.scenario.composer IS 'built-in composer, named like its scenario; or a function of your own, with its schema: f(record_id bigint, old jsonb, new jsonb) RETURNS TABLE (partner_id bigint, number text, params jsonb), and if wanted res_model text, res_id bigint, once text, precondition jsonb; a daily one is called with NULL, NULL and {"day": "YYYY-MM-DD"}';
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
COMMENT ON COLUMN wa.scenario.key IS 'what messages and functions call it';
COMMENT ON COLUMN wa.scenario.name IS 'what people call it';
COMMENT ON COLUMN wa.scenario.template_key IS 'wa.template.key';
COMMENT ON COLUMN wa.scenario.active IS 'false: makes no messages';
COMMENT ON COLUMN wa.scenario.priority IS 'of its messages: high, normal or low';

CREATE TABLE wa.scenario_rate (
    scenario text NOT NULL,
    minute   timestamptz NOT NULL,
    messages integer NOT NULL,
    CONSTRAINT scenario_rate_pkey PRIMARY KEY (scenario, minute)
);
COMMENT ON TABLE wa.scenario_rate IS 'messages of the last hour that were not held, by scenario and minute: what max_per_hour is compared with';
COMMENT ON COLUMN wa.scenario_rate.scenario IS 'wa.scenario.key';
COMMENT ON COLUMN wa.scenario_rate.minute IS 'beginning of the minute';
COMMENT ON COLUMN wa.scenario_rate.messages IS 'how many there were';

CREATE TABLE wa.read_position (
    one      boolean NOT NULL DEFAULT true,
    snapshot pg_snapshot NOT NULL,
    event_id bigint NOT NULL DEFAULT 0,
    purged_message_id bigint NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    unpurged bigint[] NOT NULL DEFAULT '{}',
    reading  pg_snapshot,
    reading_event_id bigint NOT NULL DEFAULT 0,
    CONSTRAINT read_position_pkey PRIMARY KEY (one),
    CONSTRAINT read_position_one_check CHECK (one)
);
COMMENT ON TABLE wa.read_position IS 'how far the event stream is read: events visible in this snapshot are handled';

COMMENT ON COLUMN wa.read_position.purged_message_id IS 'messages up to this id have lost number and text after the retention, but for those in "unpurged"';
COMMENT ON COLUMN wa.read_position.unpurged IS 'messages up to that id that waited still, or ended lately: each loses number and text when it has been over for the retention';
COMMENT ON COLUMN wa.read_position.one IS 'there is one row';
COMMENT ON COLUMN wa.read_position.snapshot IS 'what was visible at the last reading';
COMMENT ON COLUMN wa.read_position.event_id IS 'greatest wa.event.id that was read';
COMMENT ON COLUMN wa.read_position.reading IS 'what is being read in pieces: events visible in this snapshot, and not in "snapshot"; NULL: nothing is';
COMMENT ON COLUMN wa.read_position.reading_event_id IS 'the records whose first event among those is not above this one have been read';
COMMENT ON COLUMN wa.read_position.moved_at IS 'when that was';

CREATE TABLE wa.unassigned (
    document_id bigint NOT NULL,
    scenario    text NOT NULL,
    event_id    bigint NOT NULL,
    relation    text NOT NULL,
    due_at      timestamptz NOT NULL,
    CONSTRAINT unassigned_pkey PRIMARY KEY (document_id, scenario)
);
COMMENT ON TABLE wa.unassigned IS 'documents that wait for an approver to be named; when due, the group of the scenario is asked instead';
COMMENT ON COLUMN wa.unassigned.document_id IS 'id of the document';
COMMENT ON COLUMN wa.unassigned.scenario IS 'wa.scenario.key';
COMMENT ON COLUMN wa.unassigned.event_id IS 'wa.event.id of the change that began it';
COMMENT ON COLUMN wa.unassigned.relation IS 'table of the document, as in wa.watch';
COMMENT ON COLUMN wa.unassigned.due_at IS 'then its group is asked';

CREATE TABLE wa.unreached (
    message_id bigint NOT NULL,
    until      timestamptz NOT NULL,
    CONSTRAINT unreached_pkey PRIMARY KEY (message_id)
);
COMMENT ON TABLE wa.unreached IS 'messages that were skipped for want of a number, and go when the contact has one until this time';
COMMENT ON COLUMN wa.unreached.message_id IS 'wa.message.id';
COMMENT ON COLUMN wa.unreached.until IS 'end of its time-to-live';

CREATE TABLE wa.event_outcome (
    id        bigint GENERATED BY DEFAULT AS IDENTITY,
    event_id  bigint NOT NULL,
    relation  text NOT NULL,
    record_id bigint,
    scenario  text,
    outcome   text NOT NULL,
    detail    text,
    detail_said jsonb,
    at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT event_outcome_pkey PRIMARY KEY (id)
);
CREATE INDEX event_outcome_record_idx ON wa.event_outcome (record_id, event_id);
COMMENT ON TABLE wa.event_outcome IS 'why an event made no message';
COMMENT ON COLUMN wa.event_outcome.id IS 'from a sequence';
COMMENT ON COLUMN wa.event_outcome.event_id IS 'wa.event.id';
COMMENT ON COLUMN wa.event_outcome.relation IS 'as in wa.event';
COMMENT ON COLUMN wa.event_outcome.record_id IS 'as in wa.event';
COMMENT ON COLUMN wa.event_outcome.scenario IS 'scenario that made none';
COMMENT ON COLUMN wa.event_outcome.outcome IS 'suppressed, already announced, waiting for recipient and so on';
COMMENT ON COLUMN wa.event_outcome.detail IS 'the outcome as a sentence, in English';
COMMENT ON COLUMN wa.event_outcome.detail_said IS 'as detail_said of wa.message, of detail';
COMMENT ON COLUMN wa.event_outcome.at IS 'when the event was composed';

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
    error_said jsonb,
    at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    scenario  text,
    CONSTRAINT dead_letter_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE wa.dead_letter IS 'events whose composer failed, with their own copy of the change and the error';
COMMENT ON COLUMN wa.dead_letter.scenario IS 'the scenario of your own that failed, while the others went on; NULL: nothing was made of the event';
COMMENT ON COLUMN wa.dead_letter.id IS 'from a sequence';
COMMENT ON COLUMN wa.dead_letter.event_id IS 'wa.event.id; what wa_replay() takes';
COMMENT ON COLUMN wa.dead_letter.relation IS 'as in wa.event';
COMMENT ON COLUMN wa.dead_letter.record_id IS 'as in wa.event';
COMMENT ON COLUMN wa.dead_letter.columns IS 'as in wa.event';
COMMENT ON COLUMN wa.dead_letter.old IS 'as in wa.event';
COMMENT ON COLUMN wa.dead_letter.new IS 'as in wa.event';
COMMENT ON COLUMN wa.dead_letter.event_at IS 'time of the change; the time-to-live runs from it';
COMMENT ON COLUMN wa.dead_letter.error IS 'why it could not be composed';
COMMENT ON COLUMN wa.dead_letter.error_said IS 'as detail_said of wa.message, of error';
COMMENT ON COLUMN wa.dead_letter.at IS 'when it was given up';

CREATE INDEX dead_letter_event_idx ON wa.dead_letter (event_id);

CREATE FUNCTION pg_catalog.wa_replay(event bigint)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_replay';
COMMENT ON FUNCTION pg_catalog.wa_replay(bigint) IS
'compose a dead letter (wa.dead_letter.event_id) again, after its cause was mended; returns the number of messages made, and removes the dead letter. If it still fails, raises the error and keeps the dead letter; nothing is ever replayed by itself. Needs level admin';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.scenario
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();

CREATE FUNCTION pg_catalog.wa_mute(scenario text, until timestamptz)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_mute';
COMMENT ON FUNCTION pg_catalog.wa_mute(text, timestamptz) IS
'let events of a scenario make no message until this time, for a planned import for example (NULL: no longer). A daily scenario counts nothing as announced meanwhile: what is still due then comes afterwards, and its first run waits for that. Returns 1; raises an error if there is no such scenario. Needs level admin';

CREATE FUNCTION pg_catalog.wa_render(template_key text, params jsonb)
RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_render';
COMMENT ON FUNCTION pg_catalog.wa_render(text, jsonb) IS
'the message as the citizen reads it; raises an error if the template is unknown or a parameter is missing. Needs level view';

CREATE FUNCTION pg_catalog.wa_convert_params(template_key text, kind text, params jsonb)
RETURNS jsonb
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_convert_params';
COMMENT ON FUNCTION pg_catalog.wa_convert_params(text, text, jsonb) IS
'parameters in the form of a kind of provider, such as a list of text parameters for meta (named if the mapping says so), {"1": ..} for watzap, {"var1": ..} for fonnte; raises an error if one is missing. Needs level view';

CREATE FUNCTION pg_catalog.wa_normalize_number(number text)
RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'wa_sql_normalize_number';
COMMENT ON FUNCTION pg_catalog.wa_normalize_number(text) IS
'digits of the first usable mobile number in the text, in international form without "+" (E.164); NULL if there is none';
