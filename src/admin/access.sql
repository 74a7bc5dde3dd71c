-- src/admin/access.sql: who may do what.

CREATE TABLE wa.access (
    role              text NOT NULL,
    level             text NOT NULL,
    role_oid          bigint,
    system_identifier text,
    CONSTRAINT access_pkey PRIMARY KEY (role),
    CONSTRAINT access_level_check CHECK (level IN ('webhook', 'view', 'send', 'admin'))
);
COMMENT ON TABLE wa.access IS 'roles that may use the functions, besides superusers and the database''s owner; wa_grant() writes it';
COMMENT ON COLUMN wa.access.role_oid IS 'the role itself: another one that gets its name later has not its level';
COMMENT ON COLUMN wa.access.system_identifier IS 'the cluster in which role_oid is meant; in another one (a restored dump, pg_upgrade) wa_setup() or wa_arm() takes the roles of these names';
COMMENT ON COLUMN wa.access.role IS 'name of the role';
COMMENT ON COLUMN wa.access.level IS 'webhook, view, send or admin';

