-- wa_configure(), wa_set(), and where credentials are
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION sicantik_wa;
RESET client_min_messages;
SET sicantik_wa.allowed_hosts = 'meta=graph.facebook.com, fonnte=api.fonnte.com, watzap=api.watzap.id, fonnte=127.0.0.1:18080';
SET sicantik_wa.secrets_directory = '';
CREATE ROLE regress_wa_admin;

-- a provider has to be created with its kind
SELECT wa_configure('utama', '{"token": "abc"}');
SELECT wa_configure('utama', '{"kind": "telegram"}');
SELECT wa_configure('Utama', '{"kind": "fonnte"}');
SELECT wa_configure(NULL, '{"kind": "fonnte"}');
SELECT wa_configure('utama', '["kind"]');
SELECT jsonb_pretty(wa_configure('utama', '{"kind": "fonnte"}'));
SELECT wa_configure('utama', '{"kind": "meta"}');

-- a credential is stored, and never shown
SELECT jsonb_pretty(wa_configure('utama', '{"token": "secret-one"}'));
SELECT * FROM wa.secret WHERE provider <> '';
SELECT settings FROM wa.provider WHERE name = 'utama';
-- replaced, not added
SELECT wa_configure('utama', '{"token": "secret-two"}') ->> 'token' AS token;
SELECT * FROM wa.secret WHERE provider <> '';
-- rolled back with its transaction
BEGIN;
SELECT wa_configure('utama', '{"token": "secret-three"}') ->> 'token' AS token;
ROLLBACK;
SELECT * FROM wa.secret WHERE provider <> '';
-- a file instead of it
SELECT wa_configure('utama', '{"token": "a", "token_file": "b"}');
SELECT wa_configure('utama', '{"token_file": "../passwd"}');
SELECT wa_configure('utama', '{"token_file": ".hidden"}');
SELECT wa_configure('utama', '{"token_file": ""}');
SELECT wa_configure('utama', '{"token_file": "fonnte.token"}') - 'problem';
SELECT * FROM wa.secret WHERE provider <> '';
-- a file is for one kind of provider, and its name says for which
\set VERBOSITY default
SELECT wa_configure('utama', '{"token_file": "meta_token"}');
\set VERBOSITY terse
SELECT wa_configure('utama', '{"token_file": "fonntetoken"}');
SELECT wa_configure('utama', '{"token_file": "token"}');
SELECT settings FROM wa.provider WHERE name = 'utama';
UPDATE wa.provider SET settings = '{"token_file": "meta_token"}' WHERE name = 'utama';
SELECT wa_configure('utama', '{}') ->> 'problem' AS problem;
SELECT wa_configure('utama', '{"token_file": null, "token": "secret-four"}') ->> 'token' AS token;
SELECT settings FROM wa.provider WHERE name = 'utama';
-- what is no credential is not taken, and not repeated
SELECT wa_configure('utama', '{"token": "line\nend"}');
SELECT wa_configure('utama', '{"token": ""}');
SELECT wa_configure('utama', '{"token": " blank"}');
SELECT wa_configure('utama', '{"token": 123456}');
SELECT wa_configure('utama', '{"token": {"a": "b"}}');
SELECT wa_configure('utama', '{"token": null}') -> 'missing' AS missing;
SELECT * FROM wa.secret WHERE provider <> '';
-- one that somebody has put into the row itself is neither used nor shown
UPDATE wa.provider SET settings = '{"token": "planted"}' WHERE name = 'utama';
SELECT wa_configure('utama', '{}');
UPDATE wa.provider SET settings = '[]' WHERE name = 'utama';
SELECT wa_configure('utama', NULL) -> 'missing' AS missing;

-- unknown settings, wrong types, wrong values
\set VERBOSITY default
SELECT wa_configure('utama', '{"tokn": "x"}');
SELECT wa_configure('utama', '{"api_key": "x"}');
SELECT wa_configure('utama', '{"active": "yes"}');
SELECT wa_configure('utama', '{"min_gap": "eight"}');
SELECT wa_configure('utama', '{"base_url": "https://evil.example"}');
\set VERBOSITY terse
SELECT wa_configure('utama', '{"active": null}');
SELECT wa_configure('utama', '{"max_in_flight": "5"}');
SELECT wa_configure('utama', '{"max_in_flight": 0}');
SELECT wa_configure('utama', '{"max_in_flight": 1.5}');
SELECT wa_configure('utama', '{"daily_cap": -1}');
SELECT wa_configure('utama', '{"daily_cap": 1e30}');
SELECT wa_configure('utama', '{"rate_per_second": 0}');
SELECT wa_configure('utama', '{"min_gap": "-1 second"}');
SELECT wa_configure('utama', '{"min_gap": "2 days"}');
SELECT wa_configure('utama', '{"min_gap": true}');
SELECT wa_configure('utama', '{"gap_jitter": -1}');
SELECT wa_configure('utama', '{"sequence": null}');
SELECT wa_configure('utama', '{"state": "ready"}');
SELECT wa_configure('utama', '{"base_url": "http://api.fonnte.com"}');
SELECT wa_configure('utama', '{"base_url": "https://graph.facebook.com"}');
SELECT wa_configure('utama', '{"base_url": "https://api.fonnte.com@evil.example"}');
SELECT wa_configure('utama', '{"base_url": 1}');
-- nor what would make each message fail
SELECT wa_configure('utama', '{"base_url": "https://api.fonnte.com/?x=1"}');
SELECT wa_configure('utama', '{"base_url": "https://api.fonnte.com/#x"}');
SELECT wa_configure('utama', '{"base_url": "https://user@api.fonnte.com/"}');
SELECT wa_configure('utama', '{"base_url": "https://api.fonnte.com/a b"}');
UPDATE wa.provider SET base_url = 'https://api.fonnte.com?x=1' WHERE name = 'utama';
SELECT wa_configure('utama', '{}') ->> 'problem' AS problem;
SELECT wa_configure('utama', '{"base_url": null}') -> 'problem' AS problem;
SELECT wa_configure('utama', '{"token": "two words"}');
SELECT wa_configure('utama', '{"token": "t\u00f6ken"}');

-- limits
SELECT jsonb_pretty(wa_configure('utama', '{"min_gap": "1 minute 30 seconds", "gap_jitter": 2.5, "recipient_gap": 0, "rate_per_second": 0.5, "daily_cap": null, "max_in_flight": 3, "sequence": 5, "active": false}'));
SELECT jsonb_pretty(wa_configure('utama', '{"min_gap": null, "gap_jitter": null, "recipient_gap": null, "rate_per_second": null, "max_in_flight": null, "active": true}'));

-- state: changed access must be tested again, changed limits need not
SELECT wa_configure('utama', '{"state": "configured", "token": "secret-five"}') ->> 'state' AS state;
SELECT wa_configure('utama', '{"daily_cap": 10}') ->> 'state' AS state;
SELECT wa_configure('utama', '{"base_url": "http://127.0.0.1:18080/"}') ->> 'state' AS state;
SELECT wa_configure('utama', '{"state": "configured"}') ->> 'base_url' AS base_url;
-- what is the same as before need not be tested again
SELECT wa_configure('utama', '{"base_url": "http://127.0.0.1:18080/", "token": "secret-five"}') ->> 'state' AS state;
SELECT wa_configure('utama', '{"token_file": "fonnte.token", "state": "configured"}') ->> 'state' AS state;
SELECT wa_configure('utama', '{"token_file": "fonnte.token"}') ->> 'state' AS state;
SELECT wa_configure('utama', '{"token_file": "fonnte_other"}') ->> 'state' AS state;
SELECT wa_configure('utama', '{"token": "secret-five", "state": "configured"}') ->> 'state' AS state;
SELECT wa_configure('utama', '{"token": "secret-six"}') ->> 'state' AS state;
SELECT wa_configure('utama', '{"token": "secret-five", "state": "configured"}') ->> 'state' AS state;
SELECT wa_configure('utama', '{"base_url": null}') ->> 'base_url' AS base_url;

-- what it shows can be given back, and changes nothing
SELECT wa_configure('utama', '{"base_url": "https://api.fonnte.com", "token": "secret-five", "state": "configured"}') ->> 'state' AS state;
CREATE TEMP TABLE shown AS SELECT wa_configure('utama', '{}') AS settings;
SELECT wa_configure('utama', settings) = settings AS same FROM shown;
SELECT wa_configure('utama', settings - 'state') = settings AS same FROM shown;
SELECT wa_configure('utama', '{"token": "*****"}') = settings AS same FROM shown;
SELECT count(*) FROM wa.provider WHERE name = 'utama' AND base_url IS NULL;
SELECT wa_configure('utama', '{"token": null}') -> 'missing' AS missing;
SELECT wa_configure('utama', '{"token": "***"}') -> 'missing' AS missing;
SELECT wa_configure('utama', '{"token_file": "fonnte.token", "state": "configured"}') ->> 'state' AS state;
SELECT wa_configure('utama', wa_configure('utama', '{}') - 'state') ->> 'token_file' AS token_file;
SELECT wa_configure('utama', '{"token": "secret-five"}') ->> 'token_file' AS token_file;

-- the other kinds
SELECT jsonb_pretty(wa_configure('meta', '{"kind": "meta", "phone_number_id": "106500", "waba_id": "77", "access_token": "t", "app_secret": "s", "verify_token": "v"}'));
UPDATE wa.provider SET state = 'configured' WHERE name = 'meta';
SELECT wa_configure('meta', '{"phone_number_id": "106500", "waba_id": "77"}') ->> 'state' AS state;
SELECT wa_configure('meta', '{"phone_number_id": "106501"}') ->> 'state' AS state;
SELECT wa_configure('meta', '{"phone_number_id": "106500"}') ->> 'state' AS state;
SELECT wa_configure('meta', '{"phone_number_id": 106500}');
SELECT wa_configure('meta', '{"phone_number_id": "10 65"}');
SELECT wa_configure('meta', '{"phone_number_id": "1065-00"}');
SELECT wa_configure('meta', '{"api_version": "26"}');
UPDATE wa.provider SET settings = settings || '{"api_version": "26"}' WHERE name = 'meta';
SELECT wa_configure('meta', '{"sequence": 11}') ->> 'problem' AS problem;
SELECT wa_configure('meta', '{"api_version": null}') -> 'problem' AS problem;
SELECT wa_configure('meta', '{"token_file": "a", "access_token_file": "b"}');
SELECT wa_configure('meta', '{"token_file": "meta_b", "app_secret_file": "meta_c"}') -> 'app_secret_file';
-- each in a file of its own
\set VERBOSITY default
BEGIN;
SELECT wa_configure('meta', '{"access_token": "t"}') ->> 'state' AS state;
SELECT wa_configure('meta', '{"app_secret": "s"}') ->> 'state' AS state;
SELECT wa_configure('meta', '{"verify_token": "v"}') ->> 'state' AS state;
SELECT wa_configure('utama', '{"webhook_secret": "w"}') ->> 'state' AS state;
ROLLBACK;
\set VERBOSITY terse
SELECT jsonb_pretty(wa_configure('watzap', '{"kind": "watzap", "api_key": "k"}'));
SELECT jsonb_pretty(wa_configure('watzap', '{"number_key": "n"}'));
SELECT wa_configure('watzap', '{"wait_until_send": "perhaps"}');
SELECT provider, name FROM wa.secret WHERE provider <> '' ORDER BY 1, 2;

-- one default provider
SELECT wa_configure('utama', '{"is_default": true}') ->> 'is_default' AS is_default;
SELECT wa_configure('meta', '{"is_default": true}') ->> 'is_default' AS is_default;
SELECT name, is_default FROM wa.provider ORDER BY name;

-- a new provider of an old name does not find the old one's credentials
DELETE FROM wa.provider WHERE name = 'utama';
SELECT wa_configure('utama', '{"kind": "fonnte"}') -> 'missing' AS missing;
SELECT provider, name FROM wa.secret WHERE provider <> '' ORDER BY 1, 2;

-- a host that is taken off the list stops the provider
SELECT wa_configure('utama', '{"base_url": "http://127.0.0.1:18080", "token": "x"}') ->> 'problem' AS problem;
SET sicantik_wa.allowed_hosts = 'fonnte=api.fonnte.com';
SELECT item, value, detail FROM wa_status() WHERE item LIKE 'provider%' ORDER BY 1;
SET sicantik_wa.allowed_hosts = 'http://everywhere';

-- nobody else
SET ROLE regress_wa_admin;
SELECT wa_configure('utama', '{}');
SELECT * FROM wa.secret;
RESET ROLE;
SELECT wa_grant('regress_wa_admin', 'admin');
SET ROLE regress_wa_admin;
SELECT wa_configure('utama', '{"daily_cap": 7}') ->> 'daily_cap' AS daily_cap;
SELECT * FROM wa.secret;
SELECT * FROM wa.provider;
SET sicantik_wa.allowed_hosts = '';
SET sicantik_wa.secrets_directory = '/etc';
RESET ROLE;

-- settings of the office
\set VERBOSITY default
SELECT wa_set('colour', 'blue');
SELECT wa_set('time_zone', 'Asia/Medan');
\set VERBOSITY terse
SELECT wa_set('mode', 'live');
SELECT wa_set(NULL, 'x');
-- what a person writes for his zone, and what POSIX reads the other way round
SELECT t.zone, regexp_replace(wa_set('time_zone', t.zone), '\d\d\d\d-\d\d-\d\d \d\d:\d\d', '(now)')
  FROM (VALUES ('asia/makassar'), ('WIB'), ('wita'), ('WIT'), ('UTC+7'), ('GMT +08:00'), ('+09'), (' jayapura '), (NULL)) AS t (zone);
DO $$
DECLARE
    zone text;
BEGIN
    FOREACH zone IN ARRAY ARRAY['UTC-7', 'GMT+6', 'Etc/GMT+7', 'Etc/GMT-7', 'Jakarta7', 'WIB-7', '<+07>-7', 'UTC+7:30', '7', 'EST5EDT', 'Asia/Medan'] LOOP
        BEGIN
            RAISE EXCEPTION 'taken: %', wa_set('time_zone', zone);
        EXCEPTION WHEN invalid_parameter_value THEN
            RAISE INFO '%: refused', zone;
        END;
    END LOOP;
END$$;
SELECT wa_set('test_number', 'besok');
SELECT wa_set('mode', 'test');
SELECT wa_set('test_number', '0812-3456-7890');
SELECT wa_set('mode', 'test');
SELECT wa_set('test_number', '');
-- a foreign one is kept as it can be read again
SELECT wa_set('test_number', '0065 9123 4567');
SELECT wa_set('test_number', value), wa_set('mode', 'test') FROM wa.setting WHERE name = 'test_number';
SELECT wa_set('test_number', '+81 90 1234 5678');
SELECT wa_set('mode', 'production');
SELECT wa_set('mode', NULL);
SELECT wa_set('mode', 'observe');
SELECT wa_set('test_number', '');
SELECT wa_set('download_link', 'https://sicantik.example/d/{registration_id}?n={permit_number}');
SELECT wa_set('download_link', 'http://localhost:8069/d/{id}');
SELECT wa_set('download_link', 'https://localhost/d/{id}');
SELECT wa_set('download_link', 'https://192.168.1.10/d/{id}');
SELECT wa_set('download_link', 'https://odoo/d/{id}');
SELECT wa_set('download_link', 'http://sicantik.example/');
SELECT wa_set('download_link', 'http://localhost.evil.example/');
SELECT wa_set('download_link', 'javascript:alert(1)');
SELECT wa_set('download_link', 'https://');
SELECT wa_set('download_link', 'https://x.example/{name}');
SELECT wa_set('download_link', 'https://x.example/{id');
SELECT wa_set('download_link', 'https://x.example/id}');
SELECT wa_set('download_link', 'https://x.example/a b');
SELECT wa_set('office_name', E'two\nlines');
SELECT wa_set('office_name', 'a {{name}}');
SELECT wa_set('staff_group', 'sicantik.group_staff');
SELECT wa_set('staff_group', 'staff');
SELECT wa_set('retention', '30 days');
SELECT wa_set('retention', '1 year 6 months');
SELECT wa_set('retention', '23 hours');
\set VERBOSITY default
SELECT wa_set('retention', '36525 days'), wa_set('feedback_retention', '101 years');
SELECT wa_set('retention', '36526 days');
SELECT wa_set('feedback_retention', '102 years');
SELECT wa_set('feedback_retention', NULL);
\set VERBOSITY terse
SELECT wa_set('retention', 'soon');
SELECT wa_set('retention', '-1 minute');
SELECT wa_set('retention', NULL);
SELECT wa_set('odoo_schema', 'no_such_schema');
SELECT wa_set('odoo_schema', NULL);
SELECT name, value FROM wa.setting ORDER BY name;
BEGIN READ ONLY;
SELECT wa_set('office_name', 'x');
ROLLBACK;

-- holidays
SELECT wa_set_holidays();
SELECT wa_set_holidays('{"2098-12-25": "Natal", "2098-12-26": "Cuti Bersama Natal"}');
SELECT wa_set_holidays('{"2098-12-26": null, "2098-12-25": "Hari Raya Natal", "2099-01-01": "Tahun Baru"}');
SELECT wa_set_holidays('{"2098-02-29": "no such day"}');
SELECT wa_set_holidays('{"2098-13-01": "no such month"}');
SELECT wa_set_holidays('{"25-12-2098": "the other way round"}');
SELECT wa_set_holidays('{"2098-1-01": "too short"}');
SELECT wa_set_holidays('{"1998-01-01": "long ago"}');
SELECT wa_set_holidays('{"2098-12-24": " "}');
SELECT wa_set_holidays('{"2098-12-24": true}');
SELECT wa_set_holidays(jsonb_build_object('2098-12-24', repeat('x', 101)));
SELECT wa_set_holidays('["2098-12-24"]');
SELECT wa_set_holidays('{"infinity": "never"}');
INSERT INTO wa.holiday VALUES ('infinity', 'never');
INSERT INTO wa.holiday VALUES ('-infinity', 'always');
BEGIN READ ONLY;
SELECT wa_set_holidays('{"2098-12-24": "Malam Natal"}');
ROLLBACK;
SET datestyle = 'SQL, DMY';
SELECT wa_set_holidays('{"2098-12-24": "Malam Natal"}');
RESET datestyle;
SELECT * FROM wa.holiday ORDER BY day;
SELECT wa_set_holidays('{"2098-12-24": null, "2098-12-25": null, "2099-01-01": null}');

SET client_min_messages = warning;
DROP EXTENSION sicantik_wa CASCADE;
DROP ROLE regress_wa_admin;
