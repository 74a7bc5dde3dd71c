-- wa_normalize_number(): a sample; the unit tests have the whole corpus
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION sicantik_wa;

-- psql versions differ in how wide they take invisible marks to be
\pset format unaligned
SELECT input, wa_normalize_number(input)
  FROM unnest(ARRAY[
    '081234567890', '81234567890', '+62 812-3456-7890', '6281234567890', '006281234567890',
    '+62 (0) 812 3456 7890', '(+62) 0812.3456.7890', '+626281234567890', ' 0812 3456 7890 ',
    U&'\202A+62 812\00A03456\20137890\202C', 'HP: 0812-3456-7890', '081234567890 (istri)',
    '0812-3456-7890 / 0813-1111-2222', '0628-20123; 081311112222', '0628-20123 atau 081311112222',
    '+60 12-345 6789', '+1 650 253 0000']) WITH ORDINALITY AS t (input, n)
 ORDER BY n;
\pset format aligned

-- what is no mobile number
SELECT input, wa_normalize_number(input) IS NULL AS none
  FROM unnest(ARRAY['0628-20123', '(021) 5550123', '112', '12', '0', '-', '', ' ', 'null', 'tidak ada', '0812',
                    '08123456789012345', 'budi@example.com', '2026-01-31']) WITH ORDINALITY AS t (input, n)
 ORDER BY n;
SELECT wa_normalize_number(NULL) IS NULL AS none, wa_normalize_number(repeat('0812', 10000)) IS NULL AS none_either;

-- what has been put into form stays as it is
SELECT count(*) FILTER (WHERE wa_normalize_number('+' || n) IS DISTINCT FROM n) AS changed
  FROM (SELECT wa_normalize_number('08' || (1100000000 + i * 7919)::text) AS n FROM generate_series(1, 1000) AS i) AS s;

-- everybody may call it, and it may stand in an index
CREATE ROLE regress_wa_nobody;
SET ROLE regress_wa_nobody;
SELECT wa_normalize_number('0812-3456-7890');
RESET ROLE;
CREATE TEMP TABLE partner (phone text);
CREATE INDEX ON partner (wa_normalize_number(phone));
INSERT INTO partner VALUES ('0812-3456-7890'), ('-');
SELECT phone FROM partner WHERE wa_normalize_number(phone) = '6281234567890';
DROP TABLE partner;
DROP ROLE regress_wa_nobody;
DROP EXTENSION sicantik_wa;
