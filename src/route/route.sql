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
    last_error_said jsonb,
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
COMMENT ON COLUMN wa.provider.name IS 'what messages, mappings and functions call it';
COMMENT ON COLUMN wa.provider.kind IS 'which interface it has, such as meta or fonnte';
COMMENT ON COLUMN wa.provider.base_url IS 'address of its interface; NULL: the usual one of its kind';
COMMENT ON COLUMN wa.provider.active IS 'false: not used at all';
COMMENT ON COLUMN wa.provider.sequence IS 'the lower one is asked first';
COMMENT ON COLUMN wa.provider.is_default IS 'takes every message that it can, before the choice by consent';
COMMENT ON COLUMN wa.provider.settings IS 'settings of its kind, without credentials';
COMMENT ON COLUMN wa.provider.gap_jitter IS 'how much min_gap is changed at most';
COMMENT ON COLUMN wa.provider.last_error IS 'what was wrong last';
COMMENT ON COLUMN wa.provider.last_error_said IS 'as detail_said of wa.message, of last_error';
COMMENT ON COLUMN wa.provider.last_error_at IS 'when that was';
COMMENT ON COLUMN wa.provider.tested_at IS 'when its connection was tested last';
COMMENT ON COLUMN wa.provider.paused_by IS 'role that paused it';
COMMENT ON COLUMN wa.provider.quota_at IS 'when it said so';

-- No grants, no constraint that could print a row, not dumped; read and
-- written by heap access only.
CREATE TABLE wa.secret (
    provider text NOT NULL,
    name     text NOT NULL,
    value    text NOT NULL
);
-- Nothing of it is for logical decoding: rows are inserted without what a
-- decoder needs, and a deleted row must not be logged for it either.
ALTER TABLE wa.secret REPLICA IDENTITY NOTHING;
-- ANALYZE must not put credentials into pg_statistic
ALTER TABLE wa.secret ALTER COLUMN provider SET STATISTICS 0, ALTER COLUMN name SET STATISTICS 0,
    ALTER COLUMN value SET STATISTICS 0;
COMMENT ON TABLE wa.secret IS 'credentials of providers, write-only through wa_configure()';
COMMENT ON COLUMN wa.secret.provider IS 'wa.provider.name';
COMMENT ON COLUMN wa.secret.name IS 'credential of the kind: access_token, token, api_key and so on';
COMMENT ON COLUMN wa.secret.value IS 'as it was given';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.provider
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();
