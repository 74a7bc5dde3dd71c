-- src/office/setting.sql: the office's settings.

CREATE TABLE wa.setting (
    name       text NOT NULL,
    value      text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    base_url   text,
    CONSTRAINT setting_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE wa.setting IS 'the office''s settings; wa_set() writes and checks them';
COMMENT ON COLUMN wa.setting.base_url IS 'of a link below Odoo''s address: that address (web.base.url) when the link was set';
COMMENT ON COLUMN wa.setting.name IS 'as wa_set() takes it';
COMMENT ON COLUMN wa.setting.value IS 'as text';
COMMENT ON COLUMN wa.setting.changed_at IS 'when it was set';

