--
-- A small stand-in for an Odoo 19 database with SICANTIK in it.
--
-- Column names, types, NOT NULLs, unique keys, indexes and the foreign keys
-- among these tables are the ones that Odoo 19 makes; foreign keys to tables
-- that are not here are left out.  Any role that may create in schema public
-- of an empty database can load it:
--
--		psql -X -v ON_ERROR_STOP=1 -f fixture.sql DATABASE
--
-- Dates of permits are relative to today (UTC, as Odoo reckons them).  The
-- rows and their ids are a promise to the tests:
--
--	partner  1 office            2 OdooBot (archived)     3 Administrator
--	        10 Budi: opted in, 0812-...      11 Siti: "+62 813 ...", no opt-in
--	        12 Joko: opted out with a date   13 Dewi: archived
--	        14 Rina: no number               15 Agus: phone is '12'
--	        16 Wayan: bare 8..., opted in    17 Maria: on the blacklist
--	        18 Putri: only whatsapp_number   19 Bambang: formerly blacklisted
--	        20 Petugas: internal user, tz    21 Pejabat: internal, approver
--	        22 Staf: internal, no number     23 Warga: portal user
--	user     1 __system__ (inactive)  2 admin  3 public  4 portaltemplate
--	         5 petugas  6 pejabat  7 staf  8 warga (portal)
--	permit   1 draft          2 active, a year left   3 active, 90 days left
--	         4 active, 60     5 active, 30            6 active, 7 days left
--	         7 expired        8 renewed (by 9)        9 draft, renewal of 8
--	        10 draft, no partner                     11 cancelled
--	document 1 draft          2 uploaded, with a pending workflow of user 6
--	         3 pending since two days, workflow      4 signed
--

SET client_min_messages = warning;

BEGIN;

-- Odoo's own tables

CREATE TABLE public.res_country (
	id serial PRIMARY KEY,
	address_view_id integer,
	currency_id integer,
	phone_code integer,
	create_uid integer,
	write_uid integer,
	code varchar(2) NOT NULL CONSTRAINT res_country_code_uniq UNIQUE,
	name_position varchar,
	name jsonb NOT NULL CONSTRAINT res_country_name_uniq UNIQUE,
	vat_label jsonb,
	address_format text,
	state_required boolean,
	zip_required boolean,
	create_date timestamp,
	write_date timestamp
);

CREATE TABLE public.res_company (
	id serial PRIMARY KEY,
	name varchar NOT NULL CONSTRAINT res_company_name_uniq UNIQUE,
	partner_id integer NOT NULL,
	currency_id integer NOT NULL,
	sequence integer,
	create_date timestamp,
	parent_path varchar,
	parent_id integer,
	paperformat_id integer,
	external_report_layout_id integer,
	create_uid integer,
	write_uid integer,
	email varchar,
	phone varchar,
	font varchar,
	primary_color varchar,
	secondary_color varchar,
	layout_background varchar NOT NULL,
	report_header jsonb,
	report_footer jsonb,
	company_details jsonb,
	active boolean,
	uses_default_logo boolean,
	write_date timestamp,
	logo_web bytea,
	alias_domain_id integer,
	email_primary_color varchar,
	email_secondary_color varchar,
	iap_enrich_auto_done boolean,
	snailmail_color boolean,
	snailmail_cover boolean,
	snailmail_duplex boolean
);

CREATE TABLE public.res_partner (
	id serial PRIMARY KEY,
	company_id integer,
	create_date timestamp,
	name varchar,
	parent_id integer,
	user_id integer,
	state_id integer,
	country_id integer,
	industry_id integer,
	color integer,
	commercial_partner_id integer,
	create_uid integer,
	write_uid integer,
	complete_name varchar,
	ref varchar,
	lang varchar,
	tz varchar,
	vat varchar,
	company_registry varchar,
	website varchar,
	function varchar,
	type varchar,
	street varchar,
	street2 varchar,
	zip varchar,
	city varchar,
	email varchar,
	phone varchar,
	commercial_company_name varchar,
	company_name varchar,
	properties jsonb,
	barcode jsonb,
	comment text,
	partner_latitude numeric,
	partner_longitude numeric,
	active boolean,
	employee boolean,
	is_company boolean,
	partner_share boolean,
	write_date timestamp,
	message_bounce integer,
	email_normalized varchar,
	signup_type varchar,
	phone_sanitized varchar,
	whatsapp_number varchar,
	whatsapp_opt_in boolean,
	whatsapp_opt_in_date timestamp,
	CONSTRAINT res_partner_check_name
		CHECK (type = 'contact' AND name IS NOT NULL OR type <> 'contact')
);

CREATE TABLE public.res_users (
	id serial PRIMARY KEY,
	company_id integer NOT NULL,
	partner_id integer NOT NULL,
	active boolean DEFAULT true,
	create_date timestamp,
	login varchar NOT NULL CONSTRAINT res_users_login_key UNIQUE,
	password varchar,
	action_id integer,
	create_uid integer,
	write_uid integer,
	signature text,
	share boolean,
	write_date timestamp,
	totp_last_counter integer,
	totp_secret varchar,
	tour_enabled boolean,
	notification_type varchar NOT NULL,
	manual_im_status varchar,
	out_of_office_message text,
	out_of_office_from timestamp,
	out_of_office_to timestamp,
	odoobot_state varchar,
	odoobot_failed boolean,
	CONSTRAINT res_users_notification_type
		CHECK (notification_type = 'email' OR NOT share)
);

CREATE TABLE public.res_groups (
	id serial PRIMARY KEY,
	name jsonb NOT NULL,
	sequence integer,
	privilege_id integer,
	create_uid integer,
	write_uid integer,
	comment jsonb,
	share boolean,
	create_date timestamp,
	write_date timestamp,
	api_key_duration double precision,
	CONSTRAINT res_groups_name_uniq UNIQUE (privilege_id, name),
	CONSTRAINT res_groups_check_api_key_duration CHECK (api_key_duration >= 0)
);

CREATE TABLE public.res_groups_users_rel (
	gid integer NOT NULL,
	uid integer NOT NULL,
	PRIMARY KEY (gid, uid)
);

CREATE TABLE public.res_groups_implied_rel (
	gid integer NOT NULL,
	hid integer NOT NULL,
	PRIMARY KEY (gid, hid)
);

CREATE TABLE public.phone_blacklist (
	id serial PRIMARY KEY,
	create_uid integer,
	write_uid integer,
	number varchar NOT NULL CONSTRAINT phone_blacklist_unique_number UNIQUE,
	active boolean,
	create_date timestamp,
	write_date timestamp
);

CREATE TABLE public.ir_config_parameter (
	id serial PRIMARY KEY,
	create_uid integer,
	write_uid integer,
	key varchar NOT NULL CONSTRAINT ir_config_parameter_key_uniq UNIQUE,
	value text NOT NULL,
	create_date timestamp,
	write_date timestamp
);

CREATE TABLE public.ir_model (
	id serial PRIMARY KEY,
	create_uid integer,
	write_uid integer,
	model varchar NOT NULL CONSTRAINT ir_model_obj_name_uniq UNIQUE,
	"order" varchar NOT NULL,
	state varchar,
	fold_name varchar,
	name jsonb NOT NULL,
	info text,
	abstract boolean,
	transient boolean,
	create_date timestamp,
	write_date timestamp,
	is_mail_thread boolean,
	is_mail_activity boolean,
	is_mail_blacklist boolean
);

CREATE TABLE public.ir_model_fields (
	id serial PRIMARY KEY,
	relation_field_id integer,
	model_id integer NOT NULL,
	related_field_id integer,
	size integer,
	create_uid integer,
	write_uid integer,
	name varchar NOT NULL,
	model varchar NOT NULL,
	relation varchar,
	relation_field varchar,
	ttype varchar NOT NULL,
	related varchar,
	translate varchar,
	state varchar NOT NULL,
	on_delete varchar,
	domain varchar,
	relation_table varchar,
	column1 varchar,
	column2 varchar,
	depends varchar,
	currency_field varchar,
	field_description jsonb NOT NULL,
	help jsonb,
	compute text,
	copied boolean,
	required boolean,
	readonly boolean,
	index boolean,
	company_dependent boolean,
	group_expand boolean,
	selectable boolean,
	store boolean,
	sanitize boolean,
	sanitize_overridable boolean,
	sanitize_tags boolean,
	sanitize_attributes boolean,
	sanitize_style boolean,
	sanitize_form boolean,
	strip_style boolean,
	strip_classes boolean,
	create_date timestamp,
	write_date timestamp,
	tracking integer,
	CONSTRAINT ir_model_fields_name_unique UNIQUE (model, name),
	CONSTRAINT ir_model_fields_name_manual_field
		CHECK (state <> 'manual' OR name LIKE 'x\_%'),
	CONSTRAINT ir_model_fields_size_gt_zero CHECK (size >= 0)
);

CREATE TABLE public.ir_model_fields_selection (
	id serial PRIMARY KEY,
	field_id integer NOT NULL,
	sequence integer,
	create_uid integer,
	write_uid integer,
	value varchar NOT NULL,
	name jsonb NOT NULL,
	create_date timestamp,
	write_date timestamp,
	CONSTRAINT ir_model_fields_selection_selection_field_uniq
		UNIQUE (field_id, value)
);

CREATE TABLE public.ir_model_data (
	id serial PRIMARY KEY,
	create_uid integer,
	create_date timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
	write_date timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
	write_uid integer,
	res_id integer,
	noupdate boolean DEFAULT false,
	name varchar NOT NULL,
	module varchar NOT NULL,
	model varchar NOT NULL,
	CONSTRAINT ir_model_data_name_nospaces CHECK (name NOT LIKE '% %')
);

CREATE TABLE public.ir_module_module (
	id serial PRIMARY KEY,
	create_uid integer,
	create_date timestamp,
	write_date timestamp,
	write_uid integer,
	website varchar,
	summary jsonb,
	name varchar NOT NULL CONSTRAINT ir_module_module_name_uniq UNIQUE,
	author varchar,
	icon varchar,
	state varchar(16),
	latest_version varchar,
	shortdesc jsonb,
	category_id integer,
	description jsonb,
	application boolean DEFAULT false,
	demo boolean DEFAULT false,
	web boolean DEFAULT false,
	license varchar(32),
	sequence integer DEFAULT 100,
	auto_install boolean DEFAULT false,
	to_buy boolean DEFAULT false,
	maintainer varchar,
	published_version varchar,
	url varchar,
	contributors text,
	menus_by_module text,
	reports_by_module text,
	views_by_module text,
	module_type varchar,
	imported boolean
);

CREATE TABLE public.ir_cron (
	id serial PRIMARY KEY,
	ir_actions_server_id integer NOT NULL,
	user_id integer NOT NULL,
	interval_number integer NOT NULL,
	priority integer,
	failure_count integer,
	create_uid integer,
	write_uid integer,
	cron_name varchar,
	interval_type varchar NOT NULL,
	active boolean,
	nextcall timestamp NOT NULL,
	lastcall timestamp,
	first_failure_date timestamp,
	create_date timestamp,
	write_date timestamp,
	CONSTRAINT ir_cron_check_strictly_positive_interval
		CHECK (interval_number > 0)
);

CREATE TABLE public.mail_followers (
	id serial PRIMARY KEY,
	res_id integer,
	partner_id integer NOT NULL,
	res_model varchar NOT NULL,
	CONSTRAINT mail_followers_mail_followers_res_partner_res_model_id_uniq
		UNIQUE (res_model, res_id, partner_id)
);

-- SICANTIK's tables

CREATE TABLE public.sicantik_permit_type (
	id serial PRIMARY KEY,
	create_uid integer,
	write_uid integer,
	name varchar NOT NULL,
	code varchar,
	active boolean,
	create_date timestamp,
	write_date timestamp
);

CREATE TABLE public.sicantik_permit (
	id serial PRIMARY KEY,
	permit_type_id integer,
	partner_id integer,
	days_until_expiry integer,
	original_permit_id integer,
	renewal_permit_id integer,
	create_uid integer,
	write_uid integer,
	registration_id varchar NOT NULL
		CONSTRAINT sicantik_permit_registration_id_unique UNIQUE,
	permit_number varchar,
	applicant_name varchar NOT NULL,
	permit_type_name varchar,
	expiry_status varchar,
	status varchar NOT NULL,
	issue_date date,
	expiry_date date,
	received_date date,
	notes text,
	expiry_notified_90 boolean,
	expiry_notified_60 boolean,
	expiry_notified_30 boolean,
	expiry_notified_7 boolean,
	is_renewal boolean,
	last_sync_date timestamp,
	create_date timestamp,
	write_date timestamp
);

CREATE TABLE public.sicantik_document (
	id serial PRIMARY KEY,
	permit_id integer NOT NULL,
	permit_type_id integer,
	signer_id integer,
	uploaded_by integer,
	create_uid integer,
	write_uid integer,
	document_number varchar NOT NULL,
	name varchar NOT NULL,
	permit_number varchar,
	state varchar NOT NULL,
	notes text,
	requires_approval boolean,
	signature_date timestamp,
	upload_date timestamp,
	create_date timestamp,
	write_date timestamp
);

CREATE TABLE public.signature_workflow (
	id serial PRIMARY KEY,
	document_id integer NOT NULL,
	approver_id integer,
	create_uid integer,
	write_uid integer,
	state varchar NOT NULL,
	create_date timestamp,
	write_date timestamp
);

-- Rows, before the foreign keys: users, partners and companies form a ring.

INSERT INTO public.res_country (id, phone_code, code, name_position, name)
VALUES (100, 62, 'ID', 'before', '{"en_US": "Indonesia", "id_ID": "Indonesia"}'),
	   (188, 60, 'MY', 'before', '{"en_US": "Malaysia"}');

INSERT INTO public.res_company (id, name, partner_id, currency_id,
								parent_path, layout_background, active)
VALUES (1, 'DPMPTSP Kabupaten Contoh', 1, 12, '1/', 'Blank', true);

INSERT INTO public.res_partner (id, name, type, country_id, lang, tz, phone,
								phone_sanitized, whatsapp_number,
								whatsapp_opt_in, whatsapp_opt_in_date,
								active, is_company, partner_share)
VALUES (1, 'DPMPTSP Kabupaten Contoh', 'contact', 100, 'id_ID', NULL, '0628-20001', '+6262820001', NULL, NULL, NULL, true, true, true),
	   (2, 'OdooBot', 'contact', NULL, 'id_ID', NULL, NULL, NULL, NULL, NULL, NULL, false, false, false),
	   (3, 'Administrator', 'contact', NULL, 'id_ID', NULL, NULL, NULL, NULL, NULL, NULL, true, false, false),
	   (4, 'Public user', 'contact', NULL, 'id_ID', NULL, NULL, NULL, NULL, NULL, NULL, false, false, true),
	   (5, 'Portal User Template', 'contact', NULL, 'id_ID', NULL, NULL, NULL, NULL, NULL, NULL, false, false, true),
	   (10, 'Budi Santoso', 'contact', 100, 'id_ID', 'Asia/Jakarta', '0812-0000-0010', '+6281200000010', '+6281200000010', true, '2026-01-02 03:04:05', true, false, true),
	   (11, 'Siti Aminah', 'contact', 100, 'id_ID', NULL, '+62 813 0000 0011', '+6281300000011', NULL, false, NULL, true, false, true),
	   (12, 'Joko Susilo', 'contact', 100, 'id_ID', NULL, '(0812) 0000 0012', '+6281200000012', NULL, false, '2026-02-03 04:05:06', true, false, true),
	   (13, 'Dewi Lestari', 'contact', 100, 'id_ID', NULL, '081200000013', '+6281200000013', NULL, true, '2026-01-02 03:04:05', false, false, true),
	   (14, 'Rina Marlina', 'contact', 100, 'id_ID', NULL, NULL, NULL, NULL, NULL, NULL, true, false, true),
	   (15, 'Agus Salim', 'contact', 100, 'id_ID', NULL, '12', NULL, NULL, NULL, NULL, true, false, true),
	   (16, 'Wayan Sudarta', 'contact', 100, 'id_ID', 'Asia/Makassar', '812 0000 0016', NULL, NULL, true, '2026-03-04 05:06:07', true, false, true),
	   (17, 'Maria Tambunan', 'contact', 100, 'id_ID', NULL, '62-812-0000-0017', '+6281200000017', NULL, true, '2026-03-04 05:06:07', true, false, true),
	   (18, 'Putri Handayani', 'contact', NULL, NULL, NULL, NULL, NULL, '0813.0000.0018', NULL, NULL, true, false, true),
	   (19, 'Bambang Wijaya', 'contact', 100, 'id_ID', NULL, '0812 0000 0019', '+6281200000019', NULL, true, '2026-03-04 05:06:07', true, false, true),
	   (20, 'Petugas Contoh', 'contact', 100, 'id_ID', 'Asia/Jakarta', '0812-0000-0020', '+6281200000020', NULL, NULL, NULL, true, false, false),
	   (21, 'Pejabat Contoh', 'contact', 100, 'id_ID', 'Asia/Jakarta', '0812-0000-0021', '+6281200000021', NULL, NULL, NULL, true, false, false),
	   (22, 'Staf Tanpa Nomor', 'contact', 100, 'id_ID', NULL, NULL, NULL, NULL, NULL, NULL, true, false, false),
	   (23, 'Warga Portal', 'contact', 100, 'id_ID', NULL, '0812-0000-0023', '+6281200000023', NULL, NULL, NULL, true, false, true);

UPDATE public.res_partner
   SET complete_name = name,
	   commercial_partner_id = id,
	   company_id = CASE WHEN partner_share THEN NULL ELSE 1 END,
	   color = 0,
	   message_bounce = 0,
	   create_uid = 1,
	   write_uid = 1,
	   create_date = '2026-01-01 00:00:00',
	   write_date = '2026-01-01 00:00:00';

INSERT INTO public.res_users (id, company_id, partner_id, active, login,
							  share, notification_type, create_uid, write_uid)
VALUES (1, 1, 2, false, '__system__', false, 'inbox', NULL, 1),
	   (2, 1, 3, true, 'admin', false, 'email', 1, 1),
	   (3, 1, 4, false, 'public', true, 'email', 1, 1),
	   (4, 1, 5, false, 'portaltemplate', true, 'email', 1, 1),
	   (5, 1, 20, true, 'petugas', false, 'email', 1, 1),
	   (6, 1, 21, true, 'pejabat', false, 'email', 1, 1),
	   (7, 1, 22, true, 'staf', false, 'email', 1, 1),
	   (8, 1, 23, true, 'warga', true, 'email', 1, 1);

INSERT INTO public.res_groups (id, name, privilege_id)
VALUES (1, '{"en_US": "Role / User"}', NULL),
	   (2, '{"en_US": "Access Rights", "id_ID": "Hak Akses"}', NULL),
	   (4, '{"en_US": "Role / Administrator", "id_ID": "Peran / Administrator"}', NULL),
	   (10, '{"en_US": "Role / Portal", "id_ID": "Peran / Portal"}', NULL),
	   (11, '{"en_US": "Role / Public", "id_ID": "Peran / Publik"}', NULL),
	   (20, '{"en_US": "SICANTIK: Officer", "id_ID": "SICANTIK: Petugas"}', 3),
	   (21, '{"en_US": "SICANTIK: Head", "id_ID": "SICANTIK: Kepala"}', 3);

-- Only direct membership is stored: the head is an officer by implication.
INSERT INTO public.res_groups_users_rel (gid, uid)
VALUES (4, 1), (4, 2), (1, 5), (1, 6), (1, 7), (10, 4), (10, 8), (11, 3),
	   (20, 5), (21, 6);
INSERT INTO public.res_groups_implied_rel (gid, hid)
VALUES (4, 2), (2, 1), (20, 1), (21, 20);

INSERT INTO public.ir_model_data (module, name, model, res_id, noupdate)
VALUES ('base', 'group_user', 'res.groups', 1, true),
	   ('base', 'group_erp_manager', 'res.groups', 2, false),
	   ('base', 'group_system', 'res.groups', 4, false),
	   ('base', 'group_portal', 'res.groups', 10, false),
	   ('base', 'group_public', 'res.groups', 11, false),
	   ('sicantik_connector', 'group_officer', 'res.groups', 20, false),
	   ('sicantik_connector', 'group_head', 'res.groups', 21, false);

INSERT INTO public.phone_blacklist (number, active, create_uid, write_uid)
VALUES ('+6281200000017', true, 1, 1), ('+6281200000019', false, 1, 1);

INSERT INTO public.ir_config_parameter (key, value, create_uid, write_uid)
VALUES ('database.uuid', '5f1c8e1e-c0de-11f1-9a6b-0242ac120002', 1, 1),
	   ('database.create_date', '2026-01-01 00:00:00', 1, 1),
	   ('web.base.url', 'https://sicantik.example.go.id', 1, 1);

INSERT INTO public.ir_model (id, model, "order", state, name, abstract,
							 transient, is_mail_thread)
VALUES (366, 'sicantik.permit.type', 'name', 'base', '{"en_US": "Permit type"}', false, false, false),
	   (367, 'sicantik.permit', 'create_date desc, id desc', 'base', '{"en_US": "Permit", "id_ID": "Izin"}', false, false, true),
	   (368, 'sicantik.document', 'create_date desc', 'base', '{"en_US": "Permit document"}', false, false, true),
	   (369, 'signature.workflow', 'id', 'base', '{"en_US": "Signature workflow"}', false, false, false);

INSERT INTO public.ir_model_fields (id, model_id, name, model, ttype, state,
									field_description, required, store)
VALUES (3170, 367, 'status', 'sicantik.permit', 'selection', 'base', '{"en_US": "Status"}', true, true),
	   (3207, 368, 'state', 'sicantik.document', 'selection', 'base', '{"en_US": "State"}', true, true),
	   (3222, 369, 'state', 'signature.workflow', 'selection', 'base', '{"en_US": "State"}', true, true);

-- Documents' labels are Indonesian under "en_US", as SICANTIK writes them.
INSERT INTO public.ir_model_fields_selection (field_id, sequence, value, name)
VALUES (3170, 0, 'draft', '{"en_US": "Draft", "id_ID": "Draf"}'),
	   (3170, 1, 'active', '{"en_US": "Active", "id_ID": "Aktif"}'),
	   (3170, 2, 'expired', '{"en_US": "Expired", "id_ID": "Kedaluwarsa"}'),
	   (3170, 3, 'renewed', '{"en_US": "Renewed", "id_ID": "Diperpanjang"}'),
	   (3170, 4, 'cancelled', '{"en_US": "Cancelled", "id_ID": "Dibatalkan"}'),
	   (3207, 0, 'draft', '{"en_US": "Draf"}'),
	   (3207, 1, 'uploaded', '{"en_US": "Diunggah"}'),
	   (3207, 2, 'pending_signature', '{"en_US": "Menunggu Tanda Tangan"}'),
	   (3207, 3, 'signed', '{"en_US": "Ditandatangani"}'),
	   (3207, 4, 'verified', '{"en_US": "Terverifikasi"}'),
	   (3207, 5, 'rejected', '{"en_US": "Ditolak"}'),
	   (3207, 6, 'cancelled', '{"en_US": "Dibatalkan"}'),
	   (3222, 0, 'pending', '{"en_US": "Pending"}'),
	   (3222, 1, 'approved', '{"en_US": "Approved"}'),
	   (3222, 2, 'rejected', '{"en_US": "Rejected"}');

INSERT INTO public.ir_module_module (name, author, state, latest_version,
									 license)
VALUES ('base', 'Odoo S.A.', 'installed', '19.0.1.3', 'LGPL-3'),
	   ('mail', 'Odoo S.A.', 'installed', '19.0.1.19', 'LGPL-3'),
	   ('phone_validation', 'Odoo S.A.', 'installed', '19.0.2.1', 'LGPL-3'),
	   ('sale', 'Odoo S.A.', 'uninstalled', NULL, 'LGPL-3'),
	   ('sicantik_connector', 'DPMPTSP', 'installed', '19.0.1.0', 'LGPL-3'),
	   ('sicantik_whatsapp', 'DPMPTSP', 'uninstalled', NULL, 'LGPL-3');

INSERT INTO public.ir_cron (ir_actions_server_id, user_id, interval_number,
							interval_type, priority, cron_name, active,
							nextcall)
VALUES (152, 1, 1, 'days', 5, 'SICANTIK: Expire Permits', true,
		(now() AT TIME ZONE 'UTC')::date + time '17:00'),
	   (153, 1, 6, 'hours', 5, 'SICANTIK: Sync Permits', true,
		(now() AT TIME ZONE 'UTC')::date + time '18:00');

INSERT INTO public.sicantik_permit_type (id, name, code, active)
VALUES (1, 'Izin Mendirikan Bangunan', 'IMB', true),
	   (2, 'Surat Izin Usaha Perdagangan', 'SIUP', true),
	   (3, 'Izin Praktik Perawat', 'IPP', true);

WITH today AS (SELECT (now() AT TIME ZONE 'UTC')::date AS day)
INSERT INTO public.sicantik_permit (id, permit_type_id, partner_id,
									registration_id, permit_number,
									applicant_name, permit_type_name, status,
									issue_date, expiry_date, is_renewal)
SELECT p.id, p.type, p.partner, 'REG-2026-' || to_char(p.id, 'FM0000'),
	   p.number, p.applicant, t.name, p.status,
	   today.day - p.issued_ago, today.day + p.days_left, p.renewal
  FROM today,
	   (VALUES (1, 1, 10, NULL, 'Budi Santoso', 'draft', NULL, NULL, false),
			   (2, 2, 10, '503/0002/SIUP/2026', 'Budi Santoso', 'active', 5, 360, false),
			   (3, 1, 11, '503/0003/IMB/2025', 'Siti Aminah', 'active', 275, 90, NULL),
			   (4, 1, 16, '503/0004/IMB/2025', 'Wayan Sudarta', 'active', 305, 60, NULL),
			   (5, 3, 18, '503/0005/IPP/2025', 'Putri Handayani', 'active', 335, 30, NULL),
			   (6, 3, 10, '503/0006/IPP/2025', 'Budi Santoso', 'active', 358, 7, NULL),
			   (7, 1, 12, '503/0007/IMB/2024', 'Joko Susilo', 'expired', 400, -35, NULL),
			   (8, 2, 17, '503/0008/SIUP/2025', 'Maria Tambunan', 'renewed', 380, -15, NULL),
			   (9, 2, 17, NULL, 'Maria Tambunan', 'draft', NULL, NULL, true),
			   (10, 3, NULL, NULL, 'Rina Marlina', 'draft', NULL, NULL, false),
			   (11, 1, 15, NULL, 'Agus Salim', 'cancelled', NULL, NULL, NULL))
	   AS p (id, type, partner, number, applicant, status, issued_ago,
			 days_left, renewal)
  JOIN public.sicantik_permit_type t ON t.id = p.type;

UPDATE public.sicantik_permit
   SET days_until_expiry = expiry_date - (now() AT TIME ZONE 'UTC')::date,
	   expiry_status = CASE
		   WHEN expiry_date IS NULL THEN NULL
		   WHEN expiry_date < (now() AT TIME ZONE 'UTC')::date THEN 'expired'
		   WHEN expiry_date < (now() AT TIME ZONE 'UTC')::date + 30 THEN 'critical'
		   WHEN expiry_date < (now() AT TIME ZONE 'UTC')::date + 90 THEN 'warning'
		   ELSE 'ok' END,
	   received_date = coalesce(issue_date, (now() AT TIME ZONE 'UTC')::date) - 3,
	   create_uid = 1,
	   write_uid = 1,
	   create_date = now() AT TIME ZONE 'UTC',
	   write_date = now() AT TIME ZONE 'UTC';
UPDATE public.sicantik_permit SET renewal_permit_id = 9 WHERE id = 8;
UPDATE public.sicantik_permit SET original_permit_id = 8 WHERE id = 9;

INSERT INTO public.sicantik_document (id, permit_id, permit_type_id,
									  signer_id, uploaded_by, document_number,
									  name, permit_number, state,
									  requires_approval, upload_date,
									  create_uid, write_uid, create_date,
									  write_date)
SELECT d.id, d.permit, p.permit_type_id, d.signer, d.uploader,
	   'DOC-' || to_char(d.id, 'FM0000'), 'SK ' || p.registration_id,
	   p.permit_number, d.state, d.approval, d.at, 1, 1, d.at, d.at
  FROM (VALUES (1, 1, NULL, 5, 'draft', false, now() AT TIME ZONE 'UTC'),
			   (2, 2, 6, 5, 'uploaded', true, now() AT TIME ZONE 'UTC'),
			   (3, 3, NULL, 5, 'pending_signature', true,
				now() AT TIME ZONE 'UTC' - interval '2 days'),
			   (4, 6, 6, 1, 'signed', NULL,
				now() AT TIME ZONE 'UTC' - interval '9 days'))
	   AS d (id, permit, signer, uploader, state, approval, at)
  JOIN public.sicantik_permit p ON p.id = d.permit;
UPDATE public.sicantik_document SET signature_date = write_date WHERE id = 4;

INSERT INTO public.signature_workflow (id, document_id, approver_id, state,
									   create_uid, write_uid, create_date,
									   write_date)
SELECT w.id, w.document, w.approver, w.state, 1, 1, d.write_date, d.write_date
  FROM (VALUES (1, 2, 6, 'pending'),
			   (2, 3, 6, 'pending'),
			   (3, 4, 6, 'approved')) AS w (id, document, approver, state)
  JOIN public.sicantik_document d ON d.id = w.document;

INSERT INTO public.mail_followers (res_model, res_id, partner_id)
SELECT 'sicantik.permit', id, 20 FROM public.sicantik_permit WHERE id IN (1, 2)
UNION ALL
SELECT 'sicantik.permit', id, partner_id FROM public.sicantik_permit
 WHERE id = 1
UNION ALL
SELECT 'sicantik.document', 3, 20;

-- The next serial value follows the rows above.
SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence('public.' || t, 'id'),
						 n)
  FROM (SELECT 'res_country', max(id) FROM public.res_country UNION ALL
		SELECT 'res_company', max(id) FROM public.res_company UNION ALL
		SELECT 'res_partner', max(id) FROM public.res_partner UNION ALL
		SELECT 'res_users', max(id) FROM public.res_users UNION ALL
		SELECT 'res_groups', max(id) FROM public.res_groups UNION ALL
		SELECT 'ir_model', max(id) FROM public.ir_model UNION ALL
		SELECT 'ir_model_fields', max(id) FROM public.ir_model_fields UNION ALL
		SELECT 'sicantik_permit_type', max(id) FROM public.sicantik_permit_type UNION ALL
		SELECT 'sicantik_permit', max(id) FROM public.sicantik_permit UNION ALL
		SELECT 'sicantik_document', max(id) FROM public.sicantik_document UNION ALL
		SELECT 'signature_workflow', max(id) FROM public.signature_workflow
	   ) AS highest (t, n)
\g /dev/null

-- Indexes

CREATE UNIQUE INDEX ir_model_data_module_name_uniq_index ON public.ir_model_data (module, name);
CREATE INDEX ir_model_data_model_res_id_index ON public.ir_model_data (model, res_id);
CREATE INDEX ir_cron__ir_actions_server_id_index ON public.ir_cron (ir_actions_server_id);
CREATE INDEX ir_model_fields__model_id_index ON public.ir_model_fields (model_id);
CREATE INDEX ir_model_fields__model_index ON public.ir_model_fields (model);
CREATE INDEX ir_model_fields__name_index ON public.ir_model_fields (name);
CREATE INDEX ir_model_fields__state_index ON public.ir_model_fields (state);
CREATE INDEX ir_model_fields_selection__field_id_index ON public.ir_model_fields_selection (field_id);
CREATE INDEX ir_module_module__category_id_index ON public.ir_module_module (category_id);
CREATE INDEX ir_module_module__state_index ON public.ir_module_module (state);
CREATE INDEX mail_followers__partner_id_index ON public.mail_followers (partner_id);
CREATE INDEX mail_followers__res_id_index ON public.mail_followers (res_id);
CREATE INDEX mail_followers__res_model_index ON public.mail_followers (res_model);
CREATE INDEX res_company__alias_domain_id_index ON public.res_company (alias_domain_id) WHERE alias_domain_id IS NOT NULL;
CREATE INDEX res_company__parent_id_index ON public.res_company (parent_id);
CREATE INDEX res_company__parent_path_index ON public.res_company (parent_path);
CREATE INDEX res_company__partner_id_index ON public.res_company (partner_id);
CREATE INDEX res_groups__privilege_id_index ON public.res_groups (privilege_id);
CREATE INDEX res_groups_implied_rel_hid_gid_idx ON public.res_groups_implied_rel (hid, gid);
CREATE INDEX res_groups_users_rel_uid_gid_idx ON public.res_groups_users_rel (uid, gid);
CREATE INDEX res_partner__barcode_index ON public.res_partner ((barcode IS NOT NULL)) WHERE barcode IS NOT NULL;
CREATE INDEX res_partner__commercial_partner_id_index ON public.res_partner (commercial_partner_id);
CREATE INDEX res_partner__company_id_index ON public.res_partner (company_id);
CREATE INDEX res_partner__company_registry_index ON public.res_partner (company_registry) WHERE company_registry IS NOT NULL;
CREATE INDEX res_partner__complete_name_index ON public.res_partner (complete_name);
CREATE INDEX res_partner__name_index ON public.res_partner (name);
CREATE INDEX res_partner__parent_id_index ON public.res_partner (parent_id);
CREATE INDEX res_partner__ref_index ON public.res_partner (ref);
CREATE INDEX res_partner__vat_index ON public.res_partner (vat);
CREATE INDEX res_partner_phone_partial_tgm ON public.res_partner (regexp_replace(phone::text, '[\s\\./\(\)\-]', '', 'g')) WHERE phone IS NOT NULL;
CREATE INDEX res_users__partner_id_index ON public.res_users (partner_id);
CREATE INDEX sicantik_permit__expiry_date_index ON public.sicantik_permit (expiry_date);
CREATE INDEX sicantik_permit__permit_number_index ON public.sicantik_permit (permit_number);
CREATE INDEX sicantik_permit__registration_id_index ON public.sicantik_permit (registration_id);
CREATE INDEX sicantik_permit_type__code_index ON public.sicantik_permit_type (code);
CREATE INDEX sicantik_permit_type__name_index ON public.sicantik_permit_type (name);

-- Foreign keys, named <table>_<column>_fkey as PostgreSQL does by itself.

ALTER TABLE public.res_company
	ADD FOREIGN KEY (parent_id) REFERENCES public.res_company ON DELETE RESTRICT,
	ADD FOREIGN KEY (partner_id) REFERENCES public.res_partner ON DELETE RESTRICT;
ALTER TABLE public.res_partner
	ADD FOREIGN KEY (commercial_partner_id) REFERENCES public.res_partner ON DELETE SET NULL,
	ADD FOREIGN KEY (company_id) REFERENCES public.res_company ON DELETE SET NULL,
	ADD FOREIGN KEY (country_id) REFERENCES public.res_country ON DELETE RESTRICT,
	ADD FOREIGN KEY (parent_id) REFERENCES public.res_partner ON DELETE SET NULL,
	ADD FOREIGN KEY (user_id) REFERENCES public.res_users ON DELETE SET NULL;
ALTER TABLE public.res_users
	ADD FOREIGN KEY (company_id) REFERENCES public.res_company ON DELETE RESTRICT,
	ADD FOREIGN KEY (partner_id) REFERENCES public.res_partner ON DELETE RESTRICT;
ALTER TABLE public.res_groups_users_rel
	ADD FOREIGN KEY (gid) REFERENCES public.res_groups ON DELETE CASCADE,
	ADD FOREIGN KEY (uid) REFERENCES public.res_users ON DELETE CASCADE;
ALTER TABLE public.res_groups_implied_rel
	ADD FOREIGN KEY (gid) REFERENCES public.res_groups ON DELETE CASCADE,
	ADD FOREIGN KEY (hid) REFERENCES public.res_groups ON DELETE CASCADE;
ALTER TABLE public.ir_cron
	ADD FOREIGN KEY (user_id) REFERENCES public.res_users ON DELETE RESTRICT;
ALTER TABLE public.ir_model_fields
	ADD FOREIGN KEY (model_id) REFERENCES public.ir_model ON DELETE CASCADE,
	ADD FOREIGN KEY (related_field_id) REFERENCES public.ir_model_fields ON DELETE CASCADE,
	ADD FOREIGN KEY (relation_field_id) REFERENCES public.ir_model_fields ON DELETE CASCADE;
ALTER TABLE public.ir_model_fields_selection
	ADD FOREIGN KEY (field_id) REFERENCES public.ir_model_fields ON DELETE CASCADE;
ALTER TABLE public.mail_followers
	ADD FOREIGN KEY (partner_id) REFERENCES public.res_partner ON DELETE CASCADE;
ALTER TABLE public.sicantik_permit
	ADD FOREIGN KEY (original_permit_id) REFERENCES public.sicantik_permit ON DELETE SET NULL,
	ADD FOREIGN KEY (partner_id) REFERENCES public.res_partner ON DELETE SET NULL,
	ADD FOREIGN KEY (permit_type_id) REFERENCES public.sicantik_permit_type ON DELETE SET NULL,
	ADD FOREIGN KEY (renewal_permit_id) REFERENCES public.sicantik_permit ON DELETE SET NULL;
ALTER TABLE public.sicantik_document
	ADD FOREIGN KEY (permit_id) REFERENCES public.sicantik_permit ON DELETE RESTRICT,
	ADD FOREIGN KEY (permit_type_id) REFERENCES public.sicantik_permit_type ON DELETE SET NULL,
	ADD FOREIGN KEY (signer_id) REFERENCES public.res_users ON DELETE SET NULL,
	ADD FOREIGN KEY (uploaded_by) REFERENCES public.res_users ON DELETE SET NULL;
ALTER TABLE public.signature_workflow
	ADD FOREIGN KEY (approver_id) REFERENCES public.res_users ON DELETE SET NULL,
	ADD FOREIGN KEY (document_id) REFERENCES public.sicantik_document ON DELETE CASCADE;

-- Every table remembers who wrote it; deleting a user must not fail by that.
DO $$
DECLARE
	col record;
BEGIN
	FOR col IN
		SELECT c.relname, a.attname
		  FROM pg_catalog.pg_attribute a
		  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
		 WHERE c.relnamespace = 'public'::regnamespace
		   AND c.relkind = 'r'
		   AND a.attname IN ('create_uid', 'write_uid')
		   AND c.relname IN ('res_country', 'res_company', 'res_partner',
							 'res_users', 'res_groups', 'phone_blacklist',
							 'ir_config_parameter', 'ir_model',
							 'ir_model_data', 'ir_model_fields',
							 'ir_model_fields_selection',
							 'ir_module_module', 'ir_cron',
							 'sicantik_permit_type', 'sicantik_permit',
							 'sicantik_document', 'signature_workflow')
		 ORDER BY c.relname, a.attname
	LOOP
		EXECUTE pg_catalog.format(
			'ALTER TABLE public.%I ADD FOREIGN KEY (%I)'
			' REFERENCES public.res_users ON DELETE SET NULL',
			col.relname, col.attname);
	END LOOP;
END
$$;

COMMIT;

ANALYZE public.res_partner, public.res_users, public.sicantik_permit;
