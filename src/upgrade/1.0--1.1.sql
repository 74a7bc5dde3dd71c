-- src/upgrade/1.0--1.1.sql: what the install script, which is run once more,
-- cannot do with objects of the version before (CONTRIBUTING.md, An upgrade
-- step).  Where it comes in is marked.  No lock here on wa.event, wa.event_aside
-- or their sequence: capture would lose what it has to record meanwhile.

-- Every lock that may have to wait for somebody's transaction comes first, and
-- wa.watch last: while that is locked, a session that has not read it yet
-- cannot record what it changes.
LOCK TABLE wa.access, wa.attempt, wa.calendar, wa.capture_gap, wa.contact, wa.dead_letter, wa.due, wa.event_outcome,
    wa.identity, wa.message, wa.once, wa.passed, wa.position, wa.provider, wa.ready, wa.request, wa.scenario, wa.secret,
    wa.setting, wa.template, wa.template_mapping, wa.waiting IN ACCESS EXCLUSIVE MODE;
LOCK TABLE wa.watch IN ACCESS EXCLUSIVE MODE;

-- Another result, or more arguments.
DROP FUNCTION pg_catalog.wa_why(bigint);
DROP FUNCTION pg_catalog.wa_history(text);
DROP FUNCTION pg_catalog.wa_explain(text, bigint, jsonb, bigint);
DROP FUNCTION pg_catalog.wa_cancel(text, timestamptz, timestamptz, text);
DROP FUNCTION pg_catalog.wa_retry(text, timestamptz, timestamptz, text);
DROP FUNCTION pg_catalog.wa_release(text, integer);
DROP FUNCTION pg_catalog.wa_send_text(bigint, text, text, timestamptz, text);
DROP FUNCTION pg_catalog.wa_send_text(text, text, text, timestamptz, text);
DROP FUNCTION wa._calendar_due(timestamptz, text, time, integer[], timestamptz, date[]);

-- Other names.
ALTER TABLE wa.calendar RENAME TO daily_run;
ALTER TABLE wa.daily_run RENAME CONSTRAINT calendar_pkey TO daily_run_pkey;
ALTER TABLE wa.passed RENAME TO scenario_rate;
ALTER TABLE wa.scenario_rate RENAME CONSTRAINT passed_pkey TO scenario_rate_pkey;
ALTER TABLE wa.position RENAME TO read_position;
ALTER TABLE wa.read_position RENAME CONSTRAINT position_pkey TO read_position_pkey;
ALTER TABLE wa.read_position RENAME CONSTRAINT position_one_check TO read_position_one_check;
ALTER TABLE wa.waiting RENAME TO unassigned;
ALTER TABLE wa.unassigned RENAME CONSTRAINT waiting_pkey TO unassigned_pkey;
ALTER TABLE wa.once RENAME TO announced;
ALTER TABLE wa.announced RENAME CONSTRAINT once_pkey TO announced_pkey;
ALTER INDEX wa.once_message_idx RENAME TO announced_message_idx;
ALTER TABLE wa.announced RENAME COLUMN made_at TO announced_at;
ALTER TABLE wa.message RENAME COLUMN tried TO refused_by;
ALTER TABLE wa.message RENAME COLUMN waits TO backoffs;
ALTER TABLE wa.message RENAME COLUMN still TO precondition;

-- Which address of Odoo's a link was made from is not known of those that are there.
ALTER TABLE wa.setting ADD COLUMN base_url text;

-- A grant was to whoever has the role's name; it stays with who has it now.
ALTER TABLE wa.access ADD COLUMN role_oid bigint, ADD COLUMN system_identifier text;
UPDATE wa.access AS a
   SET role_oid = r.oid::bigint,
       system_identifier = (SELECT c.system_identifier::text FROM pg_catalog.pg_control_system() AS c)
  FROM pg_catalog.pg_roles AS r
 WHERE r.rolname = a.role;

ALTER TABLE wa.watch ADD COLUMN optional text[] NOT NULL DEFAULT '{}';

-- Credentials are for no decoder.
ALTER TABLE wa.secret REPLICA IDENTITY NOTHING;

ALTER TABLE wa.read_position ADD COLUMN unpurged bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE wa.read_position ADD COLUMN reading pg_snapshot;
ALTER TABLE wa.read_position ADD COLUMN reading_event_id bigint NOT NULL DEFAULT 0;

-- What a person has put off, and nobody has tried yet, had its time in due_at.
ALTER TABLE wa.message ADD COLUMN send_at timestamptz, ADD COLUMN change jsonb, ADD COLUMN event_at timestamptz,
    ADD COLUMN despite_opt_out boolean NOT NULL DEFAULT false;
UPDATE wa.message SET send_at = due_at
 WHERE state = 'queued' AND scenario IS NULL AND attempts = 0 AND reason IS NULL AND due_at IS NOT NULL;

ALTER TABLE wa.attempt ADD COLUMN unlisted text;

ALTER TABLE wa.identity ADD COLUMN mark text NOT NULL
    DEFAULT pg_catalog.left(pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''), 16);
ALTER TABLE wa.identity ADD COLUMN restoration text;

ALTER TABLE wa.contact ADD COLUMN marketing_out_at timestamptz, ADD COLUMN marketing_in_at timestamptz;

-- What was said before has its words alone.
ALTER TABLE wa.message ADD COLUMN detail_said jsonb, ADD COLUMN route_said jsonb, ADD COLUMN number_source_said jsonb;
ALTER TABLE wa.attempt ADD COLUMN response_said jsonb;
ALTER TABLE wa.provider ADD COLUMN last_error_said jsonb;
ALTER TABLE wa.template_mapping ADD COLUMN last_error_said jsonb;
ALTER TABLE wa.template_mapping ADD COLUMN provider_status text, ADD COLUMN provider_category text, ADD COLUMN quality text,
    ADD COLUMN synced_at timestamptz, ADD COLUMN told_at timestamptz, ADD COLUMN provider_note text, ADD COLUMN provider_note_said jsonb;
ALTER TABLE wa.event_outcome ADD COLUMN detail_said jsonb;
ALTER TABLE wa.dead_letter ADD COLUMN error_said jsonb;
ALTER TABLE wa.daily_run ADD COLUMN error_said jsonb;

-- A row is wider than it was: room for what its claim and its result write.
ALTER TABLE wa.message SET (fillfactor = 50);

-- What a long wait leaves behind goes back to the disk.
ALTER TABLE wa.ready RESET (vacuum_truncate);
ALTER TABLE wa.due RESET (vacuum_truncate);

-- Nobody read it.
ALTER TABLE wa.ready DROP COLUMN xact;

-- What waits for one provider is not to be in the way of the others.
ALTER TABLE wa.ready ADD COLUMN only_by text, ADD COLUMN lane smallint NOT NULL DEFAULT 1;
UPDATE wa.ready AS r
   SET only_by = m.wanted_provider, lane = CASE m.priority WHEN 'high' THEN 0 WHEN 'low' THEN 2 ELSE 1 END
  FROM wa.message AS m
 WHERE m.id = r.message_id AND (m.wanted_provider IS NOT NULL OR m.priority <> 'normal');

-- What providers tell later.
ALTER TABLE wa.attempt ADD COLUMN provider_message_id text;
UPDATE wa.attempt AS a SET provider_message_id = m.provider_message_id
  FROM wa.message AS m
 WHERE m.id = a.message_id AND m.provider_message_id IS NOT NULL AND a.outcome = 'accepted' AND a.provider = m.provider;
ALTER TABLE wa.message ADD COLUMN failed_at timestamptz, ADD COLUMN pricing jsonb;
ALTER TABLE wa.request DROP CONSTRAINT request_action_check;
ALTER TABLE wa.request ADD CONSTRAINT request_action_check
    CHECK (action IN ('cancel', 'retry', 'release', 'settle', 'fail'));
ALTER TABLE wa.access DROP CONSTRAINT access_level_check;
ALTER TABLE wa.access ADD CONSTRAINT access_level_check CHECK (level IN ('webhook', 'view', 'send', 'admin'));

-- With other columns.
DROP INDEX wa.message_record_idx, wa.event_outcome_record_idx;

@INSTALL_SCRIPT@

INSERT INTO wa.watch_copy (relation, owner, columns) SELECT relation, owner, columns FROM wa.watch;

-- A text that waited for a setting is written when that comes.
INSERT INTO wa.unwritten (message_id, setting)
SELECT id, coalesce(substring(detail FROM '"([^"]*)"'), '')
  FROM wa.message
 WHERE state = 'held' AND reason = 'setting_missing' AND body IS NULL AND number IS NOT NULL;

UPDATE wa.message
   SET detail_said = jsonb_build_object('say', 'setting_not_set', 'of', jsonb_build_array(substring(detail FROM '"([^"]*)"')))
 WHERE state = 'held' AND reason = 'setting_missing' AND detail ~ '^the setting "[a-z_]+" is not set$';

-- What the triggers have not seen.
INSERT INTO wa.unattended (message_id)
SELECT m.id FROM wa.message AS m
 WHERE m.state = 'held' OR m.state IN ('queued', 'sending', 'unknown')
   AND NOT EXISTS (SELECT FROM wa.ready AS r WHERE r.message_id = m.id)
   AND NOT EXISTS (SELECT FROM wa.due AS d WHERE d.message_id = m.id);

-- What was said of a number in another form was not found.
UPDATE wa.contact AS c SET number = pg_catalog.wa_normalize_number(c.number)
 WHERE c.number = (SELECT min(o.number) FROM wa.contact AS o
                    WHERE pg_catalog.wa_normalize_number(o.number) = pg_catalog.wa_normalize_number(c.number))
   AND NOT EXISTS (SELECT FROM wa.contact AS o WHERE o.number = pg_catalog.wa_normalize_number(c.number));
