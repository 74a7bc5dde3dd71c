-- src/feedback/feedback.sql: consent and the 24-hour window.

CREATE TABLE wa.contact (
    number          text NOT NULL,
    opted_in_at     timestamptz,
    opted_out_at    timestamptz,
    source          text,
    last_inbound_at timestamptz,
    marketing_out_at timestamptz,
    marketing_in_at timestamptz,
    CONSTRAINT contact_pkey PRIMARY KEY (number)
);
COMMENT ON TABLE wa.contact IS 'what people said about getting messages; the later of opt-in and opt-out counts';
COMMENT ON COLUMN wa.contact.number IS 'digits in international form; another spelling of a number is brought into it when it is written';
COMMENT ON COLUMN wa.contact.last_inbound_at IS 'last message from this number to any of ours at Meta. Which of them, and so which 24-hour window is open, is in wa.contact_window; a time that is later than all of those there opens every one';
COMMENT ON COLUMN wa.contact.opted_in_at IS 'when he agreed; NULL: never';
COMMENT ON COLUMN wa.contact.opted_out_at IS 'when he refused; NULL: never';
COMMENT ON COLUMN wa.contact.source IS 'where that is known from: as in wa.consent, or in free words';
COMMENT ON COLUMN wa.contact.marketing_out_at IS 'when he refused messages of marketing, to the office or to the provider; NULL: never, or he wants them again';
COMMENT ON COLUMN wa.contact.marketing_in_at IS 'when he agreed to messages of marketing; NULL: never';

CREATE TABLE wa.contact_window (
    number          text NOT NULL,
    sender_id       text NOT NULL,
    last_inbound_at timestamptz NOT NULL,
    CONSTRAINT contact_window_pkey PRIMARY KEY (number, sender_id)
);
CREATE INDEX contact_window_last_idx ON wa.contact_window (last_inbound_at);
COMMENT ON TABLE wa.contact_window IS 'when somebody last wrote to each of our numbers at Meta, whose 24-hour window is for that number alone; goes after the setting retention';
COMMENT ON COLUMN wa.contact_window.number IS 'his, digits in international form';
COMMENT ON COLUMN wa.contact_window.sender_id IS 'ours: Meta''s phone_number_id';
COMMENT ON COLUMN wa.contact_window.last_inbound_at IS 'last message from him to it';

CREATE FUNCTION wa._contact_number()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'wa_sql_contact_number';
COMMENT ON FUNCTION wa._contact_number() IS
'trigger function on wa.contact: brings a number into international form, so that what was said of it is found';

CREATE TRIGGER number BEFORE INSERT OR UPDATE OF number ON wa.contact
    FOR EACH ROW EXECUTE FUNCTION wa._contact_number();

CREATE SEQUENCE wa.consent_id_seq;
CREATE TABLE wa.consent (
    id       bigint NOT NULL DEFAULT pg_catalog.nextval('wa.consent_id_seq'),
    number   text,
    user_id  text,
    scope    text NOT NULL DEFAULT 'all',
    change   text NOT NULL,
    said_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    source   text NOT NULL DEFAULT '',
    words    text,
    by       text,
    noted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    pending  boolean NOT NULL DEFAULT false,
    write_at timestamptz,
    CONSTRAINT consent_pkey PRIMARY KEY (id),
    CONSTRAINT consent_scope_check CHECK (scope IN ('all', 'marketing')),
    CONSTRAINT consent_change_check CHECK (change IN ('opt_in', 'opt_out'))
);
ALTER SEQUENCE wa.consent_id_seq OWNED BY wa.consent.id;
CREATE INDEX consent_number_idx ON wa.consent (number) WHERE number IS NOT NULL;
CREATE INDEX consent_user_id_idx ON wa.consent (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX consent_noted_at_idx ON wa.consent (noted_at) WHERE words IS NOT NULL;
CREATE INDEX consent_pending_idx ON wa.consent (number) WHERE pending;
CREATE INDEX consent_write_at_idx ON wa.consent (write_at) WHERE write_at IS NOT NULL;
COMMENT ON TABLE wa.consent IS 'what people have said about getting messages, each word by itself; what holds now is in wa.contact. Rows that somebody writes to wa.contact himself are not in it';
COMMENT ON COLUMN wa.consent.id IS 'in the order in which it was written down, with gaps';
COMMENT ON COLUMN wa.consent.number IS 'who said it, digits in international form; NULL: only his id is known';
COMMENT ON COLUMN wa.consent.user_id IS 'the id that the provider has for him (Meta: business-scoped); NULL: not told';
COMMENT ON COLUMN wa.consent.scope IS 'all: messages of every kind; marketing: only those of marketing';
COMMENT ON COLUMN wa.consent.change IS 'opt_in or opt_out';
COMMENT ON COLUMN wa.consent.said_at IS 'when he said it; the later word counts, and opt_out where both are of one time';
COMMENT ON COLUMN wa.consent.source IS 'hand (wa_opt_out(), wa_opt_in()), keyword (he wrote it), provider (its answer to a message), preference (he told the provider) or moved (he has another number or id)';
COMMENT ON COLUMN wa.consent.words IS 'what was said; removed after the retention';
COMMENT ON COLUMN wa.consent.by IS 'role that wrote it down; NULL: the person himself, or his provider';
COMMENT ON COLUMN wa.consent.noted_at IS 'when it was written down';
COMMENT ON COLUMN wa.consent.pending IS 'not in wa.contact yet, since somebody held that row; an opt-out counts all the same';

COMMENT ON COLUMN wa.consent.write_at IS 'when the worker writes it to the contacts in Odoo, or tries again (setting write_back); NULL: it does not, or has done so';

CREATE TABLE wa.identity_of (
    user_id  text NOT NULL,
    number   text NOT NULL,
    provider text,
    seen_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    CONSTRAINT identity_of_pkey PRIMARY KEY (user_id, number)
);
CREATE INDEX identity_of_number_idx ON wa.identity_of (number);
COMMENT ON TABLE wa.identity_of IS 'whose number belongs to the id that a provider has for him, as it has told';
COMMENT ON COLUMN wa.identity_of.user_id IS 'the provider''s id (Meta: business-scoped)';
COMMENT ON COLUMN wa.identity_of.number IS 'digits in international form';
COMMENT ON COLUMN wa.identity_of.provider IS 'wa.provider.name of who has told it last';
COMMENT ON COLUMN wa.identity_of.seen_at IS 'when it was told last';

CREATE FUNCTION pg_catalog.wa_opt_out(number text, scope text DEFAULT 'all', words text DEFAULT NULL, said_at timestamptz DEFAULT NULL)
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_opt_out';
COMMENT ON FUNCTION pg_catalog.wa_opt_out(text, text, text, timestamptz) IS
'write down that the person with this number, in any spelling, or with this id of Meta''s (ID.1349...), wants no messages any more: scope all, or marketing. From now on nothing goes to it by any provider, what waits included. words: what he said, for wa.consent, where the role of the caller stands as well. said_at: when he said it; NULL: now. Returns a sentence, for one who has said the contrary later, too. Raises an error for what is no number or no scope, or a time to come, and (42P08) for digits that are an Indonesian number without its zero and, with a plus, one of another country that the ledger has. Needs level send';

CREATE FUNCTION pg_catalog.wa_opt_in(number text, scope text DEFAULT 'all', words text DEFAULT NULL, said_at timestamptz DEFAULT NULL)
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_opt_in';
COMMENT ON FUNCTION pg_catalog.wa_opt_in(text, text, text, timestamptz) IS
'write down that the person with this number, in any spelling, or with this id of Meta''s, wants messages: scope all, or marketing. It lifts what he has said of the same scope before, and with scope all what Odoo says of him (its blacklist, the opt-out of a contact), if that row was not written after it. words, said_at: as in wa_opt_out(). Returns a sentence, for one who has said the contrary later, too. Raises an error for what is no number or no scope, or a time to come. Raises an error (42P08) for digits that may be either of two numbers, as wa_send_text() does. Needs level send';

CREATE FUNCTION pg_catalog.wa_opt_in_link(provider text, body text DEFAULT NULL, number text DEFAULT NULL)
RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'wa_sql_opt_in_link';
COMMENT ON FUNCTION pg_catalog.wa_opt_in_link(text, text, text) IS
'a link (https://wa.me/...) that opens WhatsApp with a chat to the office and this text, for a form, a poster or a code to be scanned: whoever sends the text agrees to messages, where a webhook brings it. body: NULL is the last of opt_in_words. number: the office''s own; NULL: the provider''s setting own_number. A notice says where the text is none of opt_in_words. Raises an error for an unknown provider, or where no number is known. Needs level view';

CREATE FUNCTION pg_catalog.wa_identify(user_id text, number text)
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_identify';
COMMENT ON FUNCTION pg_catalog.wa_identify(text, text) IS
'write down whose id this is that a provider has for somebody: the number, in any spelling, is his, as if the provider had told it. What he does not want counts for that number from now on. Returns a sentence. Raises an error for what is no number, or an empty id. Needs level send';
