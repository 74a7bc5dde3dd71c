-- src/feedback/webhook.sql: what providers tell.

CREATE SEQUENCE wa.feedback_id_seq;
CREATE TABLE wa.feedback (
    id                  bigint NOT NULL DEFAULT pg_catalog.nextval('wa.feedback_id_seq'),
    received_at         timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    due_at              timestamptz,
    provider            text NOT NULL,
    kind                text NOT NULL,
    event               text,
    sender_id           text,
    account_id          text,
    said_at             timestamptz,
    number              text,
    user_id             text,
    parent_user_id      text,
    name                text,
    previous_number     text,
    previous_user_id    text,
    provider_message_id text,
    pair_id             text,
    callback            text,
    progress            text,
    code                text,
    words               text,
    pricing             jsonb,
    body                text,
    keyword             text,
    only_out            boolean,
    opens_window        boolean,
    proves_number       boolean,
    answers             text,
    wants               boolean,
    template_name       text,
    language            text,
    detail              jsonb,
    excerpt             text,
    problem             text,
    CONSTRAINT feedback_pkey PRIMARY KEY (id)
);
ALTER SEQUENCE wa.feedback_id_seq OWNED BY wa.feedback.id;
CREATE INDEX feedback_due_idx ON wa.feedback (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX feedback_received_idx ON wa.feedback (received_at) WHERE due_at IS NULL;
CREATE INDEX feedback_hidden_idx ON wa.feedback (user_id) WHERE due_at IS NULL AND kind = 'inbound';
CREATE INDEX feedback_person_idx ON wa.feedback (id) WHERE kind = 'person';
COMMENT ON TABLE wa.feedback IS 'what providers told by webhooks, until the worker has applied it; and what nothing comes of, for a while (setting feedback_retention), as well as messages of people whose number is hidden, and changes of numbers and ids, for what is told after them';
COMMENT ON COLUMN wa.feedback.id IS 'in the order of arrival, nearly';
COMMENT ON COLUMN wa.feedback.received_at IS 'when wa_webhook() got it';
COMMENT ON COLUMN wa.feedback.due_at IS 'when the worker applies it, or tries again; NULL: nothing comes of it any more, but for kinds inbound and person, perhaps';
COMMENT ON COLUMN wa.feedback.provider IS 'wa.provider.name';
COMMENT ON COLUMN wa.feedback.kind IS 'status, inbound, person, preference, template, account, kept (known, of no effect) or unknown';
COMMENT ON COLUMN wa.feedback.event IS 'the provider''s own word for it';
COMMENT ON COLUMN wa.feedback.sender_id IS 'number of ours that it concerns: Meta''s phone_number_id, a gateway''s device';
COMMENT ON COLUMN wa.feedback.account_id IS 'Meta''s business account';
COMMENT ON COLUMN wa.feedback.said_at IS 'when it happened, by the provider; NULL: it does not say, or says a time to come';
COMMENT ON COLUMN wa.feedback.number IS 'the person''s, digits in international form';
COMMENT ON COLUMN wa.feedback.user_id IS 'the person''s id with the provider: Meta''s business-scoped one, a gateway''s "...@lid"';
COMMENT ON COLUMN wa.feedback.parent_user_id IS 'his id in linked portfolios';
COMMENT ON COLUMN wa.feedback.name IS 'as he calls himself';
COMMENT ON COLUMN wa.feedback.previous_number IS 'kind person: his number before';
COMMENT ON COLUMN wa.feedback.previous_user_id IS 'kind person: his id before';
COMMENT ON COLUMN wa.feedback.provider_message_id IS 'kind status: of our message; inbound: of his';
COMMENT ON COLUMN wa.feedback.pair_id IS 'Fonnte''s stateid, which stands for provider_message_id from then on';
COMMENT ON COLUMN wa.feedback.callback IS 'our mark, echoed by Meta';
COMMENT ON COLUMN wa.feedback.progress IS 'kind status: sent, delivered, read or failed';
COMMENT ON COLUMN wa.feedback.code IS 'of a failure';
COMMENT ON COLUMN wa.feedback.words IS 'of a failure';
COMMENT ON COLUMN wa.feedback.pricing IS 'as wa.message.pricing';
COMMENT ON COLUMN wa.feedback.body IS 'kind inbound: text, where there is text';
COMMENT ON COLUMN wa.feedback.keyword IS 'kind inbound: what may be STOP or START';
COMMENT ON COLUMN wa.feedback.only_out IS 'kind inbound: it may opt out, never in (an edit)';
COMMENT ON COLUMN wa.feedback.opens_window IS 'kind inbound: it opens Meta''s 24 hours';
COMMENT ON COLUMN wa.feedback.proves_number IS 'kind inbound: he has shared his number when asked, so it is his, whatever was known of his id before';
COMMENT ON COLUMN wa.feedback.answers IS 'kind inbound: the provider''s id of the message that it answers';
COMMENT ON COLUMN wa.feedback.wants IS 'kind preference: marketing, or none';
COMMENT ON COLUMN wa.feedback.template_name IS 'kind template: its name at the provider';
COMMENT ON COLUMN wa.feedback.language IS 'kind template: its language';
COMMENT ON COLUMN wa.feedback.detail IS 'what else it says';
COMMENT ON COLUMN wa.feedback.excerpt IS 'kind kept and unknown: the beginning of it';
COMMENT ON COLUMN wa.feedback.problem IS 'why nothing has come of it';

CREATE TABLE wa.status_pair (
    provider            text NOT NULL,
    pair_id             text NOT NULL,
    provider_message_id text NOT NULL,
    seen_at             timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    CONSTRAINT status_pair_pkey PRIMARY KEY (provider, pair_id)
);
CREATE INDEX status_pair_seen_idx ON wa.status_pair (seen_at);
COMMENT ON TABLE wa.status_pair IS 'ids under which a provider goes on to speak of a message (Fonnte''s stateid)';
COMMENT ON COLUMN wa.status_pair.provider IS 'wa.provider.name';
COMMENT ON COLUMN wa.status_pair.pair_id IS 'the other id';
COMMENT ON COLUMN wa.status_pair.provider_message_id IS 'the one that it gave when it took the message';
COMMENT ON COLUMN wa.status_pair.seen_at IS 'when both came together';

CREATE SEQUENCE wa.inbound_id_seq;
CREATE TABLE wa.inbound (
    id                  bigint NOT NULL DEFAULT pg_catalog.nextval('wa.inbound_id_seq'),
    provider            text NOT NULL,
    sender_id           text,
    received_at         timestamptz NOT NULL,
    said_at             timestamptz NOT NULL,
    number              text,
    user_id             text,
    name                text,
    kind                text NOT NULL,
    text                text,
    message_id          bigint,
    provider_message_id text,
    CONSTRAINT inbound_pkey PRIMARY KEY (id)
);
ALTER SEQUENCE wa.inbound_id_seq OWNED BY wa.inbound.id;
CREATE UNIQUE INDEX inbound_message_idx ON wa.inbound (provider, provider_message_id);
CREATE INDEX inbound_number_idx ON wa.inbound (number) WHERE number IS NOT NULL;
CREATE INDEX inbound_received_idx ON wa.inbound (received_at);
COMMENT ON TABLE wa.inbound IS 'what people wrote to us; goes after the setting retention';
COMMENT ON COLUMN wa.inbound.id IS 'from a sequence';
COMMENT ON COLUMN wa.inbound.provider IS 'wa.provider.name';
COMMENT ON COLUMN wa.inbound.sender_id IS 'number of ours that he wrote to: Meta''s phone_number_id, a gateway''s device';
COMMENT ON COLUMN wa.inbound.received_at IS 'when the webhook came';
COMMENT ON COLUMN wa.inbound.said_at IS 'when he wrote, by the provider; else when the webhook came';
COMMENT ON COLUMN wa.inbound.number IS 'his, digits in international form; NULL: hidden';
COMMENT ON COLUMN wa.inbound.user_id IS 'his id with the provider';
COMMENT ON COLUMN wa.inbound.name IS 'as he calls himself';
COMMENT ON COLUMN wa.inbound.kind IS 'text, image, button and so on, in the provider''s word';
COMMENT ON COLUMN wa.inbound.text IS 'where there is text';
COMMENT ON COLUMN wa.inbound.message_id IS 'wa.message.id of ours that it answers';
COMMENT ON COLUMN wa.inbound.provider_message_id IS 'the provider''s id of it; where it gives none, a digest of what it says';

CREATE TABLE wa.account_news (
    provider   text NOT NULL,
    about      text NOT NULL,
    effect     text NOT NULL,
    event      text,
    told_at    timestamptz NOT NULL,
    until      timestamptz,
    words      text,
    words_said jsonb,
    stopped_at timestamptz,
    CONSTRAINT account_news_pkey PRIMARY KEY (provider, about, effect)
);
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.account_news
FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();
COMMENT ON TABLE wa.account_news IS 'what providers told last of our accounts with them, by webhooks; effect resume ends what was told of the same before. Of what holds no longer, though nothing has told so, the row may be deleted';
COMMENT ON COLUMN wa.account_news.provider IS 'wa.provider.name of the account or number that it is of';
COMMENT ON COLUMN wa.account_news.about IS 'rules (a restriction, a ban), link (of the account, of the device), or the provider''s word for the event''s field';
COMMENT ON COLUMN wa.account_news.effect IS 'stop: the provider is not used; slower: it gets one message in 6 seconds; warn; resume: what was told before is over';
COMMENT ON COLUMN wa.account_news.event IS 'the provider''s own word for it';
COMMENT ON COLUMN wa.account_news.told_at IS 'when it happened, by the provider; else when the webhook came';
COMMENT ON COLUMN wa.account_news.until IS 'when it ends by itself; NULL: not told, and slower and warn count for 7 days';
COMMENT ON COLUMN wa.account_news.words IS 'what it says';
COMMENT ON COLUMN wa.account_news.words_said IS 'as detail_said of wa.message, of words';
COMMENT ON COLUMN wa.account_news.stopped_at IS 'effect stop: last_error_at of wa.provider when this stopped it';

CREATE FUNCTION pg_catalog.wa_webhook(provider text, body bytea, signature text DEFAULT NULL, secret text DEFAULT NULL)
RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_webhook';
COMMENT ON FUNCTION pg_catalog.wa_webhook(text, bytea, text, text) IS
'take what a provider tells by a webhook: the raw body of its request, Meta''s header X-Hub-Signature-256 as signature, or the secret of the address that Fonnte or Watzap was given. Only stores; the worker applies it. Returns {"accepted": n, "ignored": n, "unknown": n}: updates that something comes of, that are known and kept, that are not known or not readable. Never raises an error because of what the body says; raises one for a provider that is not there (42704), a wrong signature or secret (28000), on a standby (25006). Needs level webhook';

CREATE FUNCTION pg_catalog.wa_webhook_verify(provider text, mode text, token text, challenge text)
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_webhook_verify';
COMMENT ON FUNCTION pg_catalog.wa_webhook_verify(text, text, text, text) IS
'answer Meta''s verification of the address (hub.mode, hub.verify_token, hub.challenge of its GET request). Returns the challenge; raises an error (28000) where mode is not "subscribe" or token is not the setting verify_token. Needs level webhook';
