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

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.template
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wa.template_mapping
    FOR EACH STATEMENT EXECUTE FUNCTION wa.changed();

