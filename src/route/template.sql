-- src/route/template.sql: templates, and how each provider knows them.

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
COMMENT ON COLUMN wa.template.key IS 'what scenarios and functions call it';
COMMENT ON COLUMN wa.template.name IS 'what people call it';
COMMENT ON COLUMN wa.template.category IS 'Meta''s: UTILITY, MARKETING or AUTHENTICATION';
COMMENT ON COLUMN wa.template.language IS 'code of Meta''s';
COMMENT ON COLUMN wa.template.active IS 'false: nothing is sent with it';

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
    last_error_said jsonb,
    last_error_at timestamptz,
    provider_status text,
    provider_category text,
    quality       text,
    synced_at     timestamptz,
    told_at       timestamptz,
    provider_note text,
    provider_note_said jsonb,
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
COMMENT ON COLUMN wa.template_mapping.template_key IS 'wa.template.key';
COMMENT ON COLUMN wa.template_mapping.provider IS 'wa.provider.name';
COMMENT ON COLUMN wa.template_mapping.language IS 'the provider''s code; NULL: the template''s';
COMMENT ON COLUMN wa.template_mapping.format IS 'positional or named parameters';
COMMENT ON COLUMN wa.template_mapping.last_error IS 'what the provider said against it last';
COMMENT ON COLUMN wa.template_mapping.last_error_said IS 'as detail_said of wa.message, of last_error';
COMMENT ON COLUMN wa.template_mapping.last_error_at IS 'when that was';
COMMENT ON COLUMN wa.template_mapping.provider_status IS 'the provider''s word for the template''s state, as it said last: APPROVED, PENDING, REJECTED, PAUSED, DISABLED, ARCHIVED and others; NULL: not read, or not there';
COMMENT ON COLUMN wa.template_mapping.provider_category IS 'the category that the provider puts it in, as it said last';
COMMENT ON COLUMN wa.template_mapping.quality IS 'how the provider rates it: GREEN, YELLOW, RED or UNKNOWN';
COMMENT ON COLUMN wa.template_mapping.synced_at IS 'when the provider''s list of templates was compared with it last; NULL: not yet, or it has told of a change since';
COMMENT ON COLUMN wa.template_mapping.told_at IS 'when what a webhook has told of it last had happened';
COMMENT ON COLUMN wa.template_mapping.provider_note IS 'what the provider announces about it, or what is unclear; it can be used all the same';
COMMENT ON COLUMN wa.template_mapping.provider_note_said IS 'as detail_said of wa.message, of provider_note';

CREATE TABLE wa.template_sync (
    provider        text NOT NULL,
    due_at          timestamptz NOT NULL,
    synced_at       timestamptz,
    failures        integer NOT NULL DEFAULT 0,
    last_error      text,
    last_error_said jsonb,
    CONSTRAINT template_sync_pkey PRIMARY KEY (provider)
);
COMMENT ON TABLE wa.template_sync IS 'when the lists of templates of providers are read; a cache, not dumped';
COMMENT ON COLUMN wa.template_sync.provider IS 'wa.provider.name';
COMMENT ON COLUMN wa.template_sync.due_at IS 'when the worker reads the list next';
COMMENT ON COLUMN wa.template_sync.synced_at IS 'when it was read last, to its end';
COMMENT ON COLUMN wa.template_sync.failures IS 'times that it could not be read since';
COMMENT ON COLUMN wa.template_sync.last_error IS 'why it could not be read, the last time';
COMMENT ON COLUMN wa.template_sync.last_error_said IS 'as detail_said of wa.message, of last_error';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.template
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.template_mapping
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();

