--
-- Many permits, each with a partner of its own, for load tests and benches.
-- To be loaded after fixture.sql:
--
--		psql -X -v ON_ERROR_STOP=1 -v permits=30000 -f fixture_many.sql DATABASE
--
-- The new permits are drafts without a number, one applicant each, all opted
-- in and with a number that can be sent to, so that one UPDATE makes as many
-- notifications as a bench wants:
--
--		UPDATE sicantik_permit
--		   SET status = 'active', permit_number = 'MANY/' || id
--		 WHERE registration_id LIKE 'MANY-%';
--
-- Loading it again adds as many again.
--

\if :{?permits}
\else
	\set permits 1000
\endif

BEGIN;

WITH partner AS (
	INSERT INTO public.res_partner (name, complete_name, type, country_id,
									lang, phone, phone_sanitized,
									whatsapp_opt_in, whatsapp_opt_in_date,
									active, is_company, partner_share, color,
									message_bounce, create_uid, write_uid,
									create_date, write_date)
	SELECT 'Warga ' || n, 'Warga ' || n, 'contact', 100, 'id_ID',
		   '0852' || to_char(n, 'FM00000000'),
		   '+62852' || to_char(n, 'FM00000000'),
		   true, '2026-01-02 03:04:05', true, false, true, 0, 0, 1, 1,
		   now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
	  FROM (SELECT i + (SELECT count(*) FROM public.res_partner
						 WHERE phone LIKE '0852%') AS n
			  FROM generate_series(1, :permits) AS i) AS numbered
	RETURNING id, name
)
INSERT INTO public.sicantik_permit (permit_type_id, partner_id,
									registration_id, applicant_name,
									permit_type_name, status, issue_date,
									expiry_date, received_date, is_renewal,
									create_uid, write_uid, create_date,
									write_date)
SELECT t.id, partner.id, 'MANY-' || to_char(partner.id, 'FM00000000'),
	   partner.name, t.name, 'draft', today, today + 365, today - 3, false,
	   1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
  FROM partner
  JOIN public.sicantik_permit_type t ON t.id = 1 + partner.id % 3
 CROSS JOIN (SELECT (now() AT TIME ZONE 'UTC')::date) AS day (today);

COMMIT;

ANALYZE public.res_partner, public.sicantik_permit;
