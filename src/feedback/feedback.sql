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
