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
'queue a template message to a phone number and return the message''s id; otherwise like wa_send to a partner. number may also be the id that Meta has for somebody (ID.1349...): the message goes to the number that is bound to it, else to the id, where the setting send_to_ids of a provider allows it; raises an error where none does. Raises an error (42P08) for digits that may be either of two numbers, as wa_send_text() does. Needs level send';

CREATE FUNCTION pg_catalog.wa_send_text(partner_id bigint, body text, provider text DEFAULT NULL,
    send_at timestamptz DEFAULT NULL, dedupe_key text DEFAULT NULL, permit_id bigint DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_send_text_partner';
COMMENT ON FUNCTION pg_catalog.wa_send_text(bigint, text, text, timestamptz, text, bigint) IS
'queue a free text (at most 4096 characters) to a partner and return the message''s id; Meta takes it only within 24 hours of the person''s last message. permit_id: the permit that it is about, in whose history it is told then. Needs level send';

CREATE FUNCTION pg_catalog.wa_send_text(number text, body text, provider text DEFAULT NULL,
    send_at timestamptz DEFAULT NULL, dedupe_key text DEFAULT NULL, permit_id bigint DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_send_text_number';
COMMENT ON FUNCTION pg_catalog.wa_send_text(text, text, text, timestamptz, text, bigint) IS
'queue a free text (at most 4096 characters) to a phone number, or an id as in wa_send(), and return the message''s id. Raises an error (42P08) for digits that are an Indonesian number without its zero and, with a plus, one of another country that the ledger has. Needs level send';

CREATE FUNCTION pg_catalog.wa_invite(partner_id bigint, provider text DEFAULT NULL,
    OUT message_id bigint, OUT what text)
RETURNS record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_invite';
COMMENT ON FUNCTION pg_catalog.wa_invite(bigint, text) IS
'ask a contact by a gateway (provider; NULL: the first that can be used) to agree to messages at the official number: queues a message with the link of wa_opt_in_link(), once in the time of the setting invite_interval at most for each number. message_id: of that message; NULL: nobody was invited. what: what was done, or why nothing: the contact has agreed, or refused, was invited before, has no usable number, or no gateway can be used. Raises an error for an unknown partner or provider, one that is no gateway, and where no official provider, or not its setting own_number, is there. Needs level send';

CREATE PROCEDURE pg_catalog.wa_try(number text, provider text DEFAULT NULL)
LANGUAGE c
AS 'MODULE_PATHNAME', 'wa_sql_try';
COMMENT ON PROCEDURE pg_catalog.wa_try(text, text) IS
'send one marked test message to a number, wait for the provider''s answer and tell the story in notices; cannot run inside a transaction block. It is free text: Meta takes it only within 24 hours of the person''s last message. Needs level send';
