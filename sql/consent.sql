-- consent: what is said, in what order it is heard, and what holds then
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION sicantik_wa;
SET timezone = 'UTC';
-- what holds of a number, with times as hours of the second of January
CREATE FUNCTION holds(n text) RETURNS text LANGUAGE sql AS
$$SELECT format('in %s, out %s, marketing in %s, out %s, by %s', extract(hour FROM opted_in_at), extract(hour FROM opted_out_at),
    extract(hour FROM marketing_in_at), extract(hour FROM marketing_out_at), source) FROM wa.contact WHERE number = n$$;

-- by hand
CREATE ROLE regress_wa_petugas;
SELECT wa_grant('regress_wa_petugas', 'view');
SET ROLE regress_wa_petugas;
SELECT wa_opt_out('081234567890');
RESET ROLE;
SELECT wa_grant('regress_wa_petugas', 'send');
SET ROLE regress_wa_petugas;
SELECT wa_opt_out('0812-3456-7890', words => 'tolong jangan kirim lagi');
SELECT wa_opt_in('+62 812 3456 7890');
SELECT wa_opt_out('6281234567890', 'marketing');
SELECT wa_opt_out('+65 9123 4567');
SELECT wa_opt_out('6591234567', 'marketing');
SELECT wa_opt_out(NULL);
SELECT wa_opt_out('021');
SELECT wa_opt_out('081234567890', 'promosi');
SELECT wa_opt_out('081234567890', NULL);
SELECT wa_opt_in('081234567890', words => repeat('x', 5000));
RESET ROLE;
SELECT number, user_id, scope, change, source, words, by, said_at <= noted_at AS told, pending FROM wa.consent ORDER BY id;
SELECT number, opted_in_at > opted_out_at AS wants, marketing_out_at IS NULL AS wants_marketing, source FROM wa.contact ORDER BY number;

-- what is told in any order comes to the same: of each kind of word the last one stays, and the later one counts
CREATE TABLE said (id int, number text, scope text, change text, at timestamptz);
INSERT INTO said VALUES
    (1, '6281200000001', 'all', 'out', '2026-01-02 01:00'), (2, '6281200000001', 'all', 'in', '2026-01-02 03:00'),
    (3, '6281200000001', 'all', 'out', '2026-01-02 02:00'),
    (4, '6281200000002', 'all', 'in', '2026-01-02 05:00'), (5, '6281200000002', 'all', 'out', '2026-01-02 05:00'),
    (6, '6281200000003', 'marketing', 'out', '2026-01-02 04:00'), (7, '6281200000003', 'marketing', 'in', '2026-01-02 06:00'),
    (8, '6281200000003', 'marketing', 'out', '2026-01-02 05:00'), (9, '6281200000003', 'all', 'in', '2026-01-02 01:00'),
    (10, '6281200000004', 'marketing', 'in', '2026-01-02 04:00'), (11, '6281200000004', 'marketing', 'out', '2026-01-02 04:00');
CREATE TABLE come_to (round int, number text, holds text);
DO $$
DECLARE
    s said;
BEGIN
    FOR round IN 1 .. 60 LOOP
        DELETE FROM wa.consent;
        DELETE FROM wa.contact;
        PERFORM setseed(round / 100.0);
        -- each of them once or twice, as providers repeat themselves
        FOR s IN SELECT said.* FROM said, generate_series(1, 2) AS n WHERE n = 1 OR random() < 0.3 ORDER BY random() LOOP
            IF s.change = 'out' THEN
                PERFORM wa_opt_out(s.number, s.scope, said_at => s.at);
            ELSE
                PERFORM wa_opt_in(s.number, s.scope, said_at => s.at);
            END IF;
        END LOOP;
        INSERT INTO come_to SELECT round, c.number, holds(c.number) || ', words ' || (SELECT count(*) FROM wa.consent AS w WHERE w.number = c.number) FROM wa.contact AS c;
    END LOOP;
END $$;
SELECT number, holds, count(*) FROM come_to GROUP BY 1, 2 ORDER BY 1;
SELECT wa_opt_out('6281200000001', said_at => '2026-01-02 01:30'), wa_opt_in('6281200000002', said_at => '2026-01-02 05:00'),
    wa_opt_out('6281200000003', 'marketing', said_at => '2026-01-02 05:30');
SELECT wa_opt_out('6281200000001', said_at => now() + interval '1 hour');

-- who writes wa.contact himself is heard by his times
UPDATE wa.contact SET opted_out_at = '2026-01-02 10:00' WHERE number = '6281200000001';
INSERT INTO wa.contact (number, opted_in_at, source) VALUES ('0812-0000-0005', '2026-01-02 10:00', 'loket');
SELECT wa_opt_in('6281200000001', said_at => '2026-01-02 09:00'), wa_opt_out('6281200000005', said_at => '2026-01-02 09:00');
SELECT number, holds(number) FROM wa.contact WHERE number IN ('6281200000001', '6281200000005') ORDER BY number;

-- what was said by somebody of whom only an id is known
INSERT INTO wa.consent (user_id, scope, change, said_at, source, words) VALUES
    ('ID.1', 'all', 'opt_out', '2026-01-02 01:00', 'keyword', 'STOP'),
    ('ID.2', 'all', 'opt_in', '2026-01-02 01:00', 'keyword', 'MULAI'),
    ('ID.3', 'all', 'opt_out', '2026-01-02 01:00', 'keyword', 'STOP'), ('ID.3', 'all', 'opt_in', '2026-01-02 02:00', 'keyword', 'MULAI'),
    ('ID.4', 'all', 'opt_in', '2026-01-02 01:00', 'keyword', 'MULAI'), ('ID.4', 'all', 'opt_out', '2026-01-02 02:00', 'keyword', 'STOP'),
    ('ID.5', 'marketing', 'opt_out', '2026-01-02 01:00', 'preference', NULL),
    ('ID.6', 'all', 'opt_out', '2026-01-02 01:00', 'keyword', 'STOP');
SELECT wa_opt_in('081200000016', said_at => '2026-01-02 03:00');
SELECT wa_identify('ID.' || n, '08120000001' || n) FROM generate_series(1, 6) AS n;
SELECT wa_identify('ID.1', '081200000011');
SELECT number, holds(number) FROM wa.contact WHERE number BETWEEN '6281200000010' AND '6281200000019' ORDER BY number;
SELECT number, user_id, scope, change, source, words, pending FROM wa.consent WHERE number BETWEEN '6281200000010' AND '6281200000019' ORDER BY number, id;
SELECT wa_identify('', '081200000011');
SELECT wa_identify('ID.1', 'x');

-- a link to agree by
SELECT count(*) > 0 AS set_up FROM wa_setup();
SELECT wa_opt_in_link('fonnte');
SELECT wa_opt_in_link('fonnte', number => '0812-3456-7000');
SELECT wa_configure('fonnte', '{"state": "configured"}') ->> 'state' AS state;
SELECT wa_configure('fonnte', '{"own_number": "021"}');
-- no request has it: the provider need not be tested again
SELECT wa_configure('fonnte', '{"own_number": "0812-3456-7001"}') ->> 'own_number' AS own_number;
SELECT state FROM wa.provider WHERE name = 'fonnte';
SELECT wa_opt_in_link('fonnte'), wa_opt_in_link('fonnte', ' Mulai!');
SET client_min_messages = notice;
SELECT wa_opt_in_link('fonnte', 'Saya setuju & ingin tahu: 50% +/- é');
SET client_min_messages = warning;
SELECT wa_opt_in_link('fonnte', '');
SELECT wa_opt_in_link('wawa'), wa_opt_in_link(NULL);
SELECT wa_opt_in_link('fonnte', number => '021');

-- digits of an Indonesian number, and of another one that is in the ledger
SELECT wa_opt_out('819012345678'), wa_opt_in('819012345678');
SELECT wa_send_text('+81 90 1234 5678', 'Halo') > 0 AS sent;
SELECT wa_opt_out('819012345678');
SELECT wa_send_text(' 819012345678 ', 'Halo');
SELECT * FROM wa_history('819012345678');
SELECT wa_forget('819012345678');
SELECT wa_export('819012345678');
SELECT * FROM wa_explain_text('819012345678', 'Halo');
SELECT wa_opt_out('+819012345678') IS NOT NULL AS of_japan, wa_opt_out('+62 819-0123-45678') IS NOT NULL AS of_indonesia, wa_opt_out('081901234567') IS NOT NULL AS another;
SELECT number FROM wa.contact WHERE number LIKE '%81901234%' AND opted_out_at > coalesce(opted_in_at, '-infinity') ORDER BY 1;

-- levels
SET ROLE regress_wa_petugas;
SELECT number, change FROM wa.consent_view WHERE number IS NOT NULL ORDER BY id LIMIT 1;
SELECT number FROM wa.contact_view ORDER BY 1 LIMIT 1;
SELECT * FROM wa.consent;
RESET ROLE;

-- settings
SELECT wa_set('opt_out_words', 'STOP, BATAL'), wa_set('opt_out_words', NULL), wa_set('marketing_stop_stops_all', 'yes');
SELECT wa_set('opt_out_words', 'STOP,,BATAL');
SELECT wa_set('opt_in_words', '-');
SELECT wa_set('opt_in_by_inbound', 'mungkin');

DROP EXTENSION sicantik_wa;
DROP FUNCTION holds(text);
DROP TABLE said, come_to;
DROP ROLE regress_wa_petugas;
