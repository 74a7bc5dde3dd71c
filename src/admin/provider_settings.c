/*-------------------------------------------------------------------------
 *
 * provider_settings.c
 *		The part of wa_configure() that deals with what each kind of provider
 *		needs: open settings, credentials, and files with credentials.
 *
 * A credential goes from the argument to wa.secret without passing through a
 * statement, and no message repeats one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "feedback/consent.h"
#include "pg/query.h"
#include "route/providers.h"
#include "route/secret.h"

/* Name of the setting that names the file of a credential; palloc()ed. */
char *
wa_admin_file_setting(const char *secret)
{
	return psprintf("%s%s", secret, WA_SECRET_FILE_SUFFIX);
}

static void
put(WaProviderChange *change, const char *name, const char *value)
{
	change->put_names[change->nput] = name;
	change->put_values[change->nput++] = value;
}

static void
drop(WaProviderChange *change, const char *name)
{
	change->drop_names[change->ndrop++] = name;
}

/*
 * The stored value of an open setting, or NULL.
 */
static char *
stored(const WaProviderChange *change, const char *name)
{
	static WaStatement read =
		WA_STATEMENT("SELECT settings->>$2 FROM wa.provider WHERE name = $1 AND jsonb_typeof(settings) = 'object'");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, change->name);
	wa_arg_text(&args, name);
	rows = wa_query(&read, &args);
	return rows.n > 0 ? wa_row_text(rows, 0, 1) : NULL;
}

static bool
same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/*
 * The name of the file that a credential is read from now, or NULL.
 */
static char *
stored_file(const WaProviderChange *change, const char *secret)
{
	char	   *file = stored(change, wa_admin_file_setting(secret));

	if (file == NULL && same(secret, wa_route_primary_secret(change->gateway)))
		file = stored(change, WA_SECRET_TOKEN_FILE);
	return file;
}

/*
 * Is this the credential that is stored already, and the one that is used?
 * The stored one is wiped from memory.
 */
static bool
is_stored_secret(const WaProviderChange *change, const char *name, const char *value)
{
	char	   *known = wa_route_read_secret(change->name, name);
	bool		result = same(known, value) && stored_file(change, name) == NULL;

	if (known)
		explicit_bzero(known, strlen(known));
	return result;
}

/*
 * Does sending depend on this credential?  By those of webhooks the provider
 * proves itself to us, and whatever they are it takes our messages.
 */
static bool
is_for_sending(const WaProviderChange *change, const char *name)
{
	const WaGateway *gateway = change->gateway;

	return !wa_route_secret_several(gateway, name) &&
		!(gateway->verify_token && strcmp(name, gateway->verify_token) == 0);
}

/*
 * A credential given in the statement itself.
 */
static void
change_literal_secret(WaProviderChange *change, const char *name, const WaOption *option)
{
	const char *value = NULL;
	WaSaid		why;

	if (!wa_admin_option_is_null(option))
	{
		value = wa_admin_option_string(option);
		if (change->literal_secret == NULL)
			change->literal_secret = same(name, wa_route_primary_secret(change->gateway)) ?
				WA_SECRET_TOKEN_FILE : wa_admin_file_setting(name);
		if (!wa_route_secret_valid(value, &why))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("value of setting \"%s\" cannot be used: %s", name, wa_said_english(why))));
		if (is_stored_secret(change, name, value))
			return;
		drop(change, wa_admin_file_setting(name));
		if (strcmp(name, wa_route_primary_secret(change->gateway)) == 0)
			drop(change, WA_SECRET_TOKEN_FILE);
	}
	wa_route_write_secret(change->name, name, value);
	if (is_for_sending(change, name))
		change->access_changed = true;
}

/*
 * The name of the file that holds a credential.
 */
static void
change_secret_file(WaProviderChange *change, const char *name, const WaOption *option)
{
	const char *file;
	char	   *content;
	WaSaid		why;
	bool		exposed;

	if (is_for_sending(change, name) &&
		!same(stored_file(change, name), wa_admin_option_is_null(option) ? NULL : wa_admin_option_string(option)))
		change->access_changed = true;
	drop(change, wa_admin_file_setting(name));
	if (strcmp(name, wa_route_primary_secret(change->gateway)) == 0)
		drop(change, WA_SECRET_TOKEN_FILE);
	if (wa_admin_option_is_null(option))
		return;

	change->names_file = true;
	file = wa_admin_option_string(option);
	if (!wa_route_secret_file_name_valid(file))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("setting \"%s\" must be a plain file name", option->name),
				 errdetail("It may have letters, digits, \".\", \"_\" and \"-\", and no directory."),
				 errhint("The file belongs into the folder with the name of this database below sicantik_wa.secrets_directory.")));
	if (!wa_route_secret_file_of_kind(file, change->gateway->kind))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("setting \"%s\" must name a file for providers of kind %s",
						option->name, change->gateway->kind),
				 errdetail("The name of a credential file begins with the kind of provider that it is for, so that no credential goes to the host of another kind."),
				 errhint("Name the file, for example, %s_token.", change->gateway->kind)));
	put(change, wa_admin_file_setting(name), file);
	wa_route_write_secret(change->name, name, NULL);

	content = wa_route_try_secret_file(file, change->gateway->kind, wa_route_secret_several(change->gateway, name),
									   &why, &exposed);
	if (content == NULL)
		ereport(WARNING,
				(wa_said_errmsg(why),
				 errhint("Provider \"%s\" cannot be used before that is repaired.",
						 change->name)));
	else
	{
		explicit_bzero(content, strlen(content));
		if (exposed)
			ereport(WARNING,
					(errmsg("credential file \"%s\" may be read or written by others on this server",
							file),
					 errhint("Take the right away: chmod go-rwx.")));
	}
}

/*
 * An open setting of the kind.
 */
static void
change_open_setting(WaProviderChange *change, const char *name, const WaOption *option)
{
	const char *value;
	const char *before = stored(change, name);

	/* reading the templates needs the one, people the other, sending neither */
	bool		sends = !same(name, change->gateway->account_setting) && strcmp(name, WA_GATEWAY_OWN_NUMBER) != 0;
	char		number[WA_NUMBER_SIZE];

	if (wa_admin_option_is_null(option))
	{
		change->access_changed = change->access_changed || (before != NULL && sends);
		drop(change, name);
		return;
	}
	if (option->type == WA_OPTION_BOOLEAN)
		value = option->boolean ? "true" : "false";
	else
		value = wa_admin_option_string(option);
	if (strlen(value) > 1024)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("setting \"%s\" is longer than 1024 bytes", name)));
	for (const char *p = value; *p; p++)
		if ((unsigned char) *p <= ' ' || *p == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("setting \"%s\" contains a blank or a control character",
							name)));
	if (strcmp(name, WA_GATEWAY_OWN_NUMBER) == 0 && !wa_feedback_own_number(value, number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("setting \"%s\" must be a mobile number", name),
				 errhint("It is the office's own, such as 081234567890.")));
	if (!same(before, value) && sends)
		change->access_changed = true;
	put(change, name, value);
}

/*
 * What wa_configure() has shown in the place of a credential says nothing when
 * it is given back.
 */
static const WaOption *
unless_mask(const WaOption *option)
{
	return option && option->type == WA_OPTION_STRING && wa_route_secret_is_mask(option->text) ?
		NULL : option;
}

static void
exclude(const WaOption *one, const WaOption *other)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("settings \"%s\" and \"%s\" exclude each other",
					one->name, other->name),
			 errhint("Give the credential, or the file that holds it.")));
}

/*
 * Take over the settings of the kind, credentials among them: the latter are
 * stored at once, the others are noted in *change.
 */
void
wa_admin_change_settings(WaProviderChange *change)
{
	const char *primary = wa_route_primary_secret(change->gateway);

	for (size_t i = 0; i < change->gateway->nsettings; i++)
	{
		const WaGatewaySetting *setting = &change->gateway->settings[i];
		const WaOption *option = wa_admin_options_find(change->options, setting->name);
		const WaOption *file = wa_admin_options_find(change->options,
													 wa_admin_file_setting(setting->name));

		if (!setting->secret)
		{
			if (option)
				change_open_setting(change, setting->name, option);
			continue;
		}
		if (primary && strcmp(setting->name, primary) == 0)
		{
			const WaOption *token_file = wa_admin_options_find(change->options,
															   WA_SECRET_TOKEN_FILE);

			if (file && token_file && file != token_file)
				exclude(file, token_file);
			if (file == NULL)
				file = token_file;
		}
		option = unless_mask(option);
		if (option && file && !wa_admin_option_is_null(option) && !wa_admin_option_is_null(file))
			exclude(option, file);
		if (option)
			change_literal_secret(change, setting->name, option);
		if (file)
			change_secret_file(change, setting->name, file);
	}
}
