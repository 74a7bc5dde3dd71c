-- src/admin/setting.sql: the office's settings, who may do what, and which
-- database this is.

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

CREATE TABLE wa.access (
    role              text NOT NULL,
    level             text NOT NULL,
    role_oid          bigint,
    system_identifier text,
    CONSTRAINT access_pkey PRIMARY KEY (role),
    CONSTRAINT access_level_check CHECK (level IN ('view', 'send', 'admin'))
);
COMMENT ON TABLE wa.access IS 'roles that may use the functions, besides superusers and the database''s owner; wa_grant() writes it';
COMMENT ON COLUMN wa.access.role_oid IS 'the role itself: another one that gets its name later has not its level';
COMMENT ON COLUMN wa.access.system_identifier IS 'the cluster in which role_oid is meant; in another one (a restored dump, pg_upgrade) wa_setup() or wa_arm() takes the roles of these names';
COMMENT ON COLUMN wa.access.role IS 'name of the role';
COMMENT ON COLUMN wa.access.level IS 'view, send or admin';

CREATE TABLE wa.identity (
    one               boolean NOT NULL DEFAULT true,
    system_identifier text NOT NULL,
    database_oid      bigint NOT NULL,
    timeline          integer NOT NULL,
    odoo_uuid         text,
    odoo_neutralized  boolean NOT NULL DEFAULT false,
    instance          text,
    hold_message_id   bigint NOT NULL DEFAULT 0,
    hold_snapshot     pg_snapshot,
    hold_event_id     bigint NOT NULL DEFAULT 0,
    synchronous       boolean NOT NULL DEFAULT false,
    doubt_snapshot    pg_snapshot,
    doubt_until       timestamptz,
    stamped_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    stamped_by        text NOT NULL,
    CONSTRAINT identity_pkey PRIMARY KEY (one),
    CONSTRAINT identity_one_check CHECK (one)
);
COMMENT ON TABLE wa.identity IS 'the database that may send; a copy does not match it. Never dumped';
COMMENT ON COLUMN wa.identity.hold_message_id IS 'messages up to this id were there when a copy was armed: held';
COMMENT ON COLUMN wa.identity.hold_snapshot IS 'events visible in it were there when a copy was armed: their messages are held';
COMMENT ON COLUMN wa.identity.hold_event_id IS 'the same for events that came with a backup, whose transaction ids mean nothing here';
COMMENT ON COLUMN wa.identity.synchronous IS 'commits of this server wait for every standby that is connected; after a failover the new primary reads it';
COMMENT ON COLUMN wa.identity.doubt_snapshot IS 'events visible in it were there at a failover: the former primary may have sent their messages';
COMMENT ON COLUMN wa.identity.doubt_until IS 'when that failover was: daily runs that were due before may have been made by the former primary';
COMMENT ON COLUMN wa.identity.one IS 'there is one row';
COMMENT ON COLUMN wa.identity.system_identifier IS 'of the cluster';
COMMENT ON COLUMN wa.identity.database_oid IS 'of the database';
COMMENT ON COLUMN wa.identity.timeline IS 'of the server''s history';
COMMENT ON COLUMN wa.identity.odoo_uuid IS 'Odoo''s database.uuid';
COMMENT ON COLUMN wa.identity.odoo_neutralized IS 'Odoo had neutralized the database when it was armed';
COMMENT ON COLUMN wa.identity.instance IS 'sicantik_wa.instance; NULL: not compared';
COMMENT ON COLUMN wa.identity.stamped_at IS 'when it was armed';
COMMENT ON COLUMN wa.identity.stamped_by IS 'by which role';
