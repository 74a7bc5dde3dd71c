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
COMMENT ON COLUMN wa.contact.number IS 'digits in international form; another spelling of a number is brought into it when it is written';
COMMENT ON COLUMN wa.contact.last_inbound_at IS 'last message from this number; opens Meta''s 24-hour window';
COMMENT ON COLUMN wa.contact.opted_in_at IS 'when he agreed; NULL: never';
COMMENT ON COLUMN wa.contact.opted_out_at IS 'when he refused; NULL: never';
COMMENT ON COLUMN wa.contact.source IS 'where that is known from, in free words';

CREATE FUNCTION wa._contact_number()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'wa_sql_contact_number';
COMMENT ON FUNCTION wa._contact_number() IS
'trigger function on wa.contact: brings a number into international form, so that what was said of it is found';

CREATE TRIGGER number BEFORE INSERT OR UPDATE OF number ON wa.contact
    FOR EACH ROW EXECUTE FUNCTION wa._contact_number();
