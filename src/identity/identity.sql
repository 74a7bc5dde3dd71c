-- src/identity/identity.sql: which database this is.

CREATE TABLE wa.identity (
    one               boolean NOT NULL DEFAULT true,
    system_identifier text NOT NULL,
    database_oid      bigint NOT NULL,
    timeline          integer NOT NULL,
    odoo_uuid         text,
    odoo_neutralized  boolean NOT NULL DEFAULT false,
    instance          text,
    restoration       text,
    mark              text NOT NULL DEFAULT pg_catalog.left(pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''), 16),
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
COMMENT ON COLUMN wa.identity.restoration IS 'the base backup that the server was started from before, by the name in its file sicantik_wa.restored; NULL: none';
COMMENT ON COLUMN wa.identity.mark IS 'what this database is called in the mark on its requests, which Meta sends back with its reports; of chance, a new one where wa_arm() finds a copy';
COMMENT ON COLUMN wa.identity.stamped_at IS 'when it was armed';
COMMENT ON COLUMN wa.identity.stamped_by IS 'by which role';

