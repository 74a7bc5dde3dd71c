-- src/queue/queue.sql: the ledger.
--
-- wa.message tells the story and is wide; it is written when a message is
-- made, claimed and finished (half of a page is left free, so that the last two
-- stay on it and touch no index).  What changes often lives in narrow tables:
-- wa.ready (work that may go now or is on the wire; read forward by its key,
-- so that dead rows behind the position are never visited, and by its other
-- index where more waits for one provider than memory takes) and
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
    number_source_said  jsonb,
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
    detail_said         jsonb,
    route               text,
    route_said          jsonb,
    priority            text NOT NULL DEFAULT 'normal',
    requires_opt_in     boolean NOT NULL DEFAULT false,
    despite_opt_out     boolean NOT NULL DEFAULT false,
    unknown_policy      text NOT NULL DEFAULT 'resend',
    fallback            boolean NOT NULL DEFAULT true,
    fallback_when_paced boolean NOT NULL DEFAULT false,
    refused_by          text[],
    backoffs            integer NOT NULL DEFAULT 0,
    repeats             integer NOT NULL DEFAULT 0,
    due_at              timestamptz,
    send_at             timestamptz,
    expires_at          timestamptz,
    attempts            integer NOT NULL DEFAULT 0,
    created_at          timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    event_at            timestamptz,
    created_by          text,
    sent_at             timestamptz,
    delivered_at        timestamptz,
    read_at             timestamptz,
    failed_at           timestamptz,
    pricing             jsonb,
    finished_at         timestamptz,
    dedupe_key          text,
    event_id            bigint,
    precondition        jsonb,
    change              jsonb,
    CONSTRAINT message_pkey PRIMARY KEY (id),
    CONSTRAINT message_state_check CHECK (state IN ('queued', 'sending', 'sent', 'delivered', 'read', 'failed',
        'unknown', 'held', 'skipped', 'cancelled', 'superseded', 'expired')),
    CONSTRAINT message_priority_check CHECK (priority IN ('high', 'normal', 'low'))
) WITH (fillfactor = 50);
ALTER SEQUENCE wa.message_id_seq OWNED BY wa.message.id;
-- by scenario, so that what others have said of a record with a long past is not
-- read when one tells of it again; which model it is of follows from the scenario,
-- but for the DBA's own
CREATE INDEX message_record_idx ON wa.message (res_id, scenario, event_id) WHERE res_id IS NOT NULL;
CREATE INDEX message_number_idx ON wa.message (number);
-- what was made within a day
CREATE INDEX message_created_idx ON wa.message (created_at);
-- whose it is, for wa_history()
CREATE INDEX message_partner_idx ON wa.message (partner_id) WHERE partner_id IS NOT NULL;
-- most messages name one of the two
CREATE INDEX message_permit_number_idx ON wa.message ((params->>'permit_number') COLLATE pg_catalog."C")
    WHERE params->>'permit_number' IS NOT NULL;
CREATE INDEX message_registration_idx ON wa.message ((params->>'pendaftaran_id') COLLATE pg_catalog."C")
    WHERE params->>'pendaftaran_id' IS NOT NULL;
ALTER TABLE wa.message SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
COMMENT ON TABLE wa.message IS 'the ledger: one row per message and its whole story';
COMMENT ON COLUMN wa.message.scenario IS 'scenario that made it; NULL: sent by hand';
COMMENT ON COLUMN wa.message.number IS 'recipient, E.164 digits without "+"; or the id that Meta has for somebody whose number is not known';
COMMENT ON COLUMN wa.message.number_source IS 'column that the number came from, "given", or "identity_of": bound to the id that was given';
COMMENT ON COLUMN wa.message.number_source_said IS 'as detail_said, of number_source';
COMMENT ON COLUMN wa.message.body IS 'the text as the citizen reads it';
COMMENT ON COLUMN wa.message.wanted_provider IS 'provider demanded by the sender; NULL: routed';
COMMENT ON COLUMN wa.message.state IS 'queued, sending, sent, delivered, read, failed, unknown, held, skipped, cancelled, superseded or expired';
COMMENT ON COLUMN wa.message.reason IS 'reason code of the state';
COMMENT ON COLUMN wa.message.detail IS 'the reason as a sentence, in English';
COMMENT ON COLUMN wa.message.detail_said IS 'the same as a key with its values, from which it is told in another language as long as it says what is in detail; NULL: detail says all';
COMMENT ON COLUMN wa.message.route IS 'why this provider, and which candidates were refused';
COMMENT ON COLUMN wa.message.route_said IS 'as detail_said, of route';
COMMENT ON COLUMN wa.message.fallback IS 'another provider may take it over after a refusal';
COMMENT ON COLUMN wa.message.fallback_when_paced IS 'it does not wait for the pacing of one provider where another has room';
COMMENT ON COLUMN wa.message.refused_by IS 'providers that have refused it since the last back-off wait';
COMMENT ON COLUMN wa.message.backoffs IS 'back-off waits so far';
COMMENT ON COLUMN wa.message.repeats IS 'how often it was sent again although an earlier attempt may have been accepted';
COMMENT ON COLUMN wa.message.unknown_policy IS 'what to do where it is not known whether the provider took it: resend, give up or hold';
COMMENT ON COLUMN wa.message.due_at IS 'not before this time (state unknown: when the policy for it is carried out); NULL: at once';
COMMENT ON COLUMN wa.message.send_at IS 'not before this time, whatever happens meanwhile: the wish of the sender; NULL: none';
COMMENT ON COLUMN wa.message.expires_at IS 'not sent after this time';
COMMENT ON COLUMN wa.message.precondition IS 'of a scenario of your own: columns of the record with the values that they must still have when the message goes out';
COMMENT ON COLUMN wa.message.change IS 'of a built-in scenario: the change of the record that it was made for; before the message goes out its scenario is asked again about this change and the record as it is by then; "later": changes that made no message because this one was about to say it, asked about with it';
COMMENT ON COLUMN wa.message.dedupe_key IS 'a second message with the same key is skipped';
COMMENT ON COLUMN wa.message.id IS 'in the order in which they were made, with gaps';
COMMENT ON COLUMN wa.message.template_key IS 'wa.template.key; NULL: free text';
COMMENT ON COLUMN wa.message.partner_id IS 'res_partner.id; NULL: only a number was given';
COMMENT ON COLUMN wa.message.params IS 'values of the template';
COMMENT ON COLUMN wa.message.res_model IS 'Odoo''s model of the record that it is about';
COMMENT ON COLUMN wa.message.res_id IS 'its id';
COMMENT ON COLUMN wa.message.provider IS 'the last one that had it';
COMMENT ON COLUMN wa.message.provider_message_id IS 'the provider''s id of the last attempt that it accepted';
COMMENT ON COLUMN wa.message.priority IS 'high, normal or low: which of those that wait goes first';
COMMENT ON COLUMN wa.message.requires_opt_in IS 'Meta only with the person''s opt-in or inside the 24-hour window';
COMMENT ON COLUMN wa.message.despite_opt_out IS 'it tells the person that he has opted out, and goes although he has';
COMMENT ON COLUMN wa.message.attempts IS 'how many there were (wa.attempt)';
COMMENT ON COLUMN wa.message.created_at IS 'when it was made';
COMMENT ON COLUMN wa.message.created_by IS 'who asked for it: a role, or sicantik_wa for an alert; NULL: a scenario made it';
COMMENT ON COLUMN wa.message.sent_at IS 'when a provider accepted it';
COMMENT ON COLUMN wa.message.delivered_at IS 'when it came to the phone, as the provider says';
COMMENT ON COLUMN wa.message.read_at IS 'when it was read, as the provider says; one that is read need not have been told delivered';
COMMENT ON COLUMN wa.message.failed_at IS 'when the provider said, after it had taken the message, that it could not be delivered; NULL again when it is sent once more (wa.attempt tells)';
COMMENT ON COLUMN wa.message.pricing IS 'what the provider says of the price: category, type, billable';
COMMENT ON COLUMN wa.message.finished_at IS 'when its state became one that is over';
COMMENT ON COLUMN wa.message.event_at IS 'when that change was made; NULL: it was made for none';
COMMENT ON COLUMN wa.message.event_id IS 'wa.event.id of the change that it was made for';

-- What waits is in wa.ready or wa.due; a state alone puts nothing there.
CREATE FUNCTION wa._law()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'wa_sql_law';
COMMENT ON FUNCTION wa._law() IS
'trigger function on wa.message: refuses a change of state that is not in the table of legal ones; where somebody else than the worker writes a state that only the worker can carry out, it names the function that does what was meant';

CREATE TRIGGER law BEFORE UPDATE ON wa.message FOR EACH ROW
    WHEN (OLD.state <> NEW.state OR OLD.reason IS DISTINCT FROM NEW.reason OR OLD.due_at IS DISTINCT FROM NEW.due_at)
    EXECUTE FUNCTION wa._law();

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
    response_said jsonb,
    unlisted      text,
    provider_message_id text,
    CONSTRAINT attempt_pkey PRIMARY KEY (message_id, attempt)
);
-- by which a provider's later word about it is matched
CREATE INDEX attempt_provider_message_idx ON wa.attempt (provider_message_id) WHERE provider_message_id IS NOT NULL;
COMMENT ON TABLE wa.attempt IS 'one row per HTTP attempt that is over';
COMMENT ON COLUMN wa.attempt.outcome IS 'accepted, retry, throttle, provider, template, recipient, policy, caller or unknown';
COMMENT ON COLUMN wa.attempt.response IS 'the provider''s answer, shortened, without secrets; where none came, why';
COMMENT ON COLUMN wa.attempt.response_said IS 'as detail_said of wa.message, of response; NULL: it is the provider''s';
COMMENT ON COLUMN wa.attempt.unlisted IS 'refused for a reason that sicantik_wa does not know: the provider''s words in short, "#" for figures';
COMMENT ON COLUMN wa.attempt.provider_message_id IS 'the provider''s id of the message, as it has answered; goes after the retention';
COMMENT ON COLUMN wa.attempt.message_id IS 'wa.message.id';
COMMENT ON COLUMN wa.attempt.attempt IS '1 for the first one of its message';
COMMENT ON COLUMN wa.attempt.provider IS 'wa.provider.name';
COMMENT ON COLUMN wa.attempt.started_at IS 'when it was claimed, before the request';
COMMENT ON COLUMN wa.attempt.finished_at IS 'when its answer, or the lack of one, was recorded';
COMMENT ON COLUMN wa.attempt.http_status IS 'of the answer; NULL: none came';
COMMENT ON COLUMN wa.attempt.provider_code IS 'the provider''s own code, or ours where no request left (not_sent, tls, withheld)';

CREATE TABLE wa.ready (
    message_id bigint NOT NULL,
    claimed_at timestamptz,
    provider   text,
    attempt    integer,
    timeline   integer NOT NULL DEFAULT 0,
    only_by    text,
    lane       smallint NOT NULL DEFAULT 1,
    CONSTRAINT ready_pkey PRIMARY KEY (message_id)
) WITH (fillfactor = 50);
-- by which those of one provider are come back for
CREATE INDEX ready_line_idx ON wa.ready (only_by, lane, message_id) WHERE only_by IS NOT NULL;
-- what a long wait leaves behind goes back to the disk; VACUUM locks the table for
-- that, some milliseconds, and a worker that meets it comes back soon after
ALTER TABLE wa.ready SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE wa.ready IS 'messages that may go now, and (claimed_at set) those on the wire';
COMMENT ON COLUMN wa.ready.timeline IS 'of the server when the message was written; after a failover, what is of an older one is in doubt';
COMMENT ON COLUMN wa.ready.message_id IS 'wa.message.id';
COMMENT ON COLUMN wa.ready.claimed_at IS 'when the worker took it to send it; NULL: it waits';
COMMENT ON COLUMN wa.ready.provider IS 'provider that it is sent to';
COMMENT ON COLUMN wa.ready.attempt IS 'wa.attempt.attempt that it will be';
COMMENT ON COLUMN wa.ready.only_by IS 'the one provider that it may go by, when it was written; NULL: whichever can take it';
COMMENT ON COLUMN wa.ready.lane IS 'its priority: 0 high, 1 normal, 2 low';

CREATE TABLE wa.due (
    message_id bigint NOT NULL,
    due_at     timestamptz NOT NULL,
    timeline   integer NOT NULL DEFAULT 0,
    CONSTRAINT due_pkey PRIMARY KEY (message_id)
);
CREATE INDEX due_at_idx ON wa.due (due_at);
ALTER TABLE wa.due SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE wa.due IS 'messages that wait for a time: scheduled, delayed or to be tried again';
COMMENT ON COLUMN wa.due.timeline IS 'as in wa.ready';
COMMENT ON COLUMN wa.due.message_id IS 'wa.message.id';
COMMENT ON COLUMN wa.due.due_at IS 'then it goes to wa.ready';

CREATE TABLE wa.unwritten (
    message_id bigint NOT NULL,
    setting    text NOT NULL DEFAULT '',
    CONSTRAINT unwritten_pkey PRIMARY KEY (message_id)
);
COMMENT ON TABLE wa.unwritten IS 'held messages whose text is written when a setting of the office comes';
COMMENT ON COLUMN wa.unwritten.setting IS 'the setting; empty: somebody wants the text to be written now';
COMMENT ON COLUMN wa.unwritten.message_id IS 'wa.message.id';

CREATE TABLE wa.unattended (
    id         bigint GENERATED BY DEFAULT AS IDENTITY,
    message_id bigint NOT NULL,
    CONSTRAINT unattended_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE wa.unattended IS 'messages that wait for a person, or may wait for nobody: at least all that are held, and all that somebody has set adrift; triggers write it';
COMMENT ON COLUMN wa.unattended.id IS 'in the order in which they were noted';
COMMENT ON COLUMN wa.unattended.message_id IS 'wa.message.id; one message may be noted more than once, or be over';

CREATE FUNCTION wa._by_hand()
RETURNS boolean
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_by_hand';
COMMENT ON FUNCTION wa._by_hand() IS
'is what is being written in the ledger written by somebody else than the worker and the functions of sicantik_wa, as the triggers ask it';

CREATE FUNCTION wa._unattended()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'wa_sql_unattended';
COMMENT ON FUNCTION wa._unattended() IS
'trigger function on wa.message, wa.ready and wa.due: notes in wa.unattended what is held now, or may be carried out by nobody';

CREATE TRIGGER unattended AFTER INSERT OR UPDATE ON wa.message FOR EACH ROW
    WHEN (NEW.state = 'held' OR (NEW.state IN ('queued', 'sending') OR NEW.state = 'unknown' AND NEW.due_at IS NOT NULL) AND wa._by_hand())
    EXECUTE FUNCTION wa._unattended();
ALTER TABLE wa.message ENABLE ALWAYS TRIGGER unattended;
CREATE TRIGGER unattended AFTER UPDATE OR DELETE ON wa.ready FOR EACH ROW
    WHEN (wa._by_hand()) EXECUTE FUNCTION wa._unattended();
ALTER TABLE wa.ready ENABLE ALWAYS TRIGGER unattended;
CREATE TRIGGER unattended_all BEFORE TRUNCATE ON wa.ready FOR EACH STATEMENT EXECUTE FUNCTION wa._unattended();
ALTER TABLE wa.ready ENABLE ALWAYS TRIGGER unattended_all;
CREATE TRIGGER unattended AFTER UPDATE OR DELETE ON wa.due FOR EACH ROW
    WHEN (wa._by_hand()) EXECUTE FUNCTION wa._unattended();
ALTER TABLE wa.due ENABLE ALWAYS TRIGGER unattended;
CREATE TRIGGER unattended_all BEFORE TRUNCATE ON wa.due FOR EACH STATEMENT EXECUTE FUNCTION wa._unattended();
ALTER TABLE wa.due ENABLE ALWAYS TRIGGER unattended_all;

CREATE TABLE wa.announced (
    key        text NOT NULL,
    message_id bigint NOT NULL,
    announced_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT announced_pkey PRIMARY KEY (key)
);
CREATE INDEX announced_message_idx ON wa.announced (message_id);
COMMENT ON TABLE wa.announced IS 'what has been announced and is not announced again, for ever or for a while; only the worker writes it';
COMMENT ON COLUMN wa.announced.key IS 'what was announced';
COMMENT ON COLUMN wa.announced.message_id IS 'message that announced it; 0: it counts as announced without one';
COMMENT ON COLUMN wa.announced.announced_at IS 'when that was';

CREATE TABLE wa.request (
    id           bigint GENERATED BY DEFAULT AS IDENTITY,
    action       text NOT NULL,
    message_id   bigint NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    detail       jsonb,
    CONSTRAINT request_pkey PRIMARY KEY (id),
    CONSTRAINT request_action_check CHECK (action IN ('cancel', 'retry', 'release', 'settle', 'fail'))
);
-- so that a kind of which there is none costs nothing beside 100,000 of another
CREATE INDEX request_action_idx ON wa.request (action, id);
COMMENT ON TABLE wa.request IS 'wishes of operators, and what providers told later, that the worker has yet to carry out';
COMMENT ON COLUMN wa.request.detail IS 'action settle: attempt, accepted, provider_message_id, detail; fail: attempt, code, words';
COMMENT ON COLUMN wa.request.id IS 'in the order in which they are carried out';
COMMENT ON COLUMN wa.request.action IS 'cancel, retry, release, settle or fail';
COMMENT ON COLUMN wa.request.message_id IS 'wa.message.id';
COMMENT ON COLUMN wa.request.requested_by IS 'role that asked for it';
COMMENT ON COLUMN wa.request.requested_at IS 'when that was';
