/*-------------------------------------------------------------------------
 *
 * webhook.c
 *		wa_webhook() and wa_webhook_verify(): what an endpoint calls.
 *
 * The call comes on somebody's connection, Odoo's perhaps, and must be short
 * and in nobody's way: it checks where the body comes from, has its gateway
 * read it, and inserts.  Whoever sends it gets 200 for anything that it could
 * read: a provider repeats the whole body for days otherwise, and switches the
 * subscription off in the end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "feedback/store.h"
#include "pg/call.h"
#include "route/providers.h"
#include "wake/wake.h"

#define SIGNATURE_BEGINS	"sha256="

PG_FUNCTION_INFO_V1(wa_sql_webhook);
PG_FUNCTION_INFO_V1(wa_sql_webhook_verify);

/* Are these bytes the same?  Takes as long for any. */
static bool
same_bytes(const uint8 * a, const uint8 * b, size_t n)
{
	uint8		differ = 0;

	for (size_t i = 0; i < n; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

static void
hmac(const char *secret, size_t secret_len, const char *data, size_t len, uint8 * mac)
{
	pg_hmac_ctx *ctx = pg_hmac_create(PG_SHA256);

	if (ctx == NULL || pg_hmac_init(ctx, (const uint8 *) secret, secret_len) < 0 ||
		pg_hmac_update(ctx, (const uint8 *) data, len) < 0 ||
		pg_hmac_final(ctx, mac, PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute an HMAC");
	pg_hmac_free(ctx);
}

/* Meta's header: "sha256=" and the HMAC of the body, hexadecimal. */
static bool
is_signed(const char *signature, const char *secret, size_t secret_len, const char *body, size_t len)
{
	uint8		told[PG_SHA256_DIGEST_LENGTH];
	uint8		mac[PG_SHA256_DIGEST_LENGTH];

	if (signature == NULL || pg_strncasecmp(signature, SIGNATURE_BEGINS, strlen(SIGNATURE_BEGINS)) != 0)
		return false;
	signature += strlen(SIGNATURE_BEGINS);
	if (strlen(signature) != 2 * sizeof(told) || strspn(signature, "0123456789abcdefABCDEF") != 2 * sizeof(told))
		return false;
	hex_decode(signature, 2 * sizeof(told), (char *) told);
	hmac(secret, secret_len, body, len, mac);
	return same_bytes(told, mac, sizeof(mac));
}

/* Is this text the secret?  Compared by digests, which are of one length. */
static bool
is_secret(const char *given, const char *secret, size_t secret_len)
{
	uint8		a[PG_SHA256_DIGEST_LENGTH];
	uint8		b[PG_SHA256_DIGEST_LENGTH];

	if (given == NULL || given[0] == '\0')
		return false;
	hmac("", 0, given, strlen(given), a);
	hmac("", 0, secret, secret_len, b);
	return same_bytes(a, b, sizeof(a));
}

/*
 * Does one of the provider's secrets vouch for this?  All of them are tried,
 * whichever it is: Meta goes on signing with a former one for a while.
 */
static bool
is_genuine(const WaProvider *provider, const char *secrets, const char *signature, const char *given,
		   const char *body, size_t len)
{
	const char *p = secrets;
	bool		genuine = false;

	while (p && *(p += strspn(p, " ,\t\r\n")) != '\0')
	{
		size_t		n = strcspn(p, " ,\t\r\n");

		if (provider->gateway->signs_feedback ? is_signed(signature, p, n, body, len) : is_secret(given, p, n))
			genuine = true;
		p += n;
	}
	return genuine;
}

/*
 * The provider of this name, which takes webhooks.
 */
static WaProvider *
find_provider(WaProviders *providers, const char *name)
{
	WaProvider *provider;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("provider must not be null")));
	provider = wa_route_load_kind_of(providers, name);
	if (provider == NULL || provider->gateway == NULL || provider->gateway->read_feedback == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("provider \"%s\" does not exist", name),
				 errhint("The address of the webhook ends in the name of a row of wa.provider.")));
	return provider;
}

/*
 * Nothing is known of whoever made this call, so nothing of it is shown.
 */
static void
refuse(const WaProvider *provider, bool verification, bool has_secret)
{
	const char *setting = verification ? provider->gateway->verify_token : provider->gateway->feedback_secret;

	if (wa_wake_count_refused())
		ereport(LOG,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("sicantik_wa has refused a webhook of provider \"%s\": its %s does not fit",
						provider->name, verification ? "token" : provider->gateway->signs_feedback ? "signature" : "secret"),
				 errdetail("There may have been more within the last minute; wa_check() has the number."),
				 errhidestmt(true)));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("this webhook is not from provider \"%s\"", provider->name),
			 has_secret ? errdetail("Its %s does not fit the setting \"%s\".",
									verification ? "token" : provider->gateway->signs_feedback ? "signature" : "secret", setting) :
			 errdetail("The provider has no setting \"%s\".", setting),
			 errhint("SELECT wa_configure('%s', '{\"%s\": \"...\"}').", provider->name, setting),
			 errhidestmt(true)));
}

static Jsonb *
counts_as_json(const WaStored *stored)
{
	char	   *text = psprintf("{\"accepted\": %d, \"ignored\": %d, \"%s\": %d}", stored->accepted, stored->ignored,
								wa_gateway_update_kind_name(WA_UPDATE_UNKNOWN), stored->unknown);

	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/*
 * wa_webhook(): see webhook.sql.
 */
Datum
wa_sql_webhook(PG_FUNCTION_ARGS)
{
	char	   *name = wa_call_arg_text(fcinfo, 0);
	bytea	   *body = PG_ARGISNULL(1) ? NULL : PG_GETARG_BYTEA_PP(1);
	char	   *signature = wa_call_arg_text(fcinfo, 2);
	char	   *secret = wa_call_arg_text(fcinfo, 3);
	const char *data = body ? VARDATA_ANY(body) : "";
	size_t		len = body ? VARSIZE_ANY_EXHDR(body) : 0;
	WaProviders providers;
	WaProvider *provider;
	char	   *proof;
	WaStored	stored;
	Jsonb	   *counts;
	WaCall		call;
	Datum		result;

	/* what a citizen wrote, and the secret, are for no log */
	wa_call_hide_statement("SELECT wa_webhook(...)");
	wa_call_begin(&call, WA_LEVEL_WEBHOOK);
	provider = find_provider(&providers, name);
	proof = wa_route_load_proof(provider, provider->gateway->feedback_secret);
	if (!is_genuine(provider, proof, signature, secret, data, len))
		refuse(provider, false, proof != NULL);
	wa_feedback_store(&providers, provider, data, len, &stored);
	if (stored.accepted > 0)
		wa_wake_feedback_at_commit();
	counts = counts_as_json(&stored);
	result = wa_call_datum(&call, JsonbPGetDatum(counts), false, -1);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}

/*
 * wa_webhook_verify(): see webhook.sql.
 */
Datum
wa_sql_webhook_verify(PG_FUNCTION_ARGS)
{
	char	   *name = wa_call_arg_text(fcinfo, 0);
	char	   *mode = wa_call_arg_text(fcinfo, 1);
	char	   *token = wa_call_arg_text(fcinfo, 2);
	char	   *challenge = wa_call_arg_text(fcinfo, 3);
	WaProviders providers;
	WaProvider *provider;
	const char *expected;
	WaCall		call;
	Datum		result;

	wa_call_hide_statement("SELECT wa_webhook_verify(...)");
	wa_call_begin_reading(&call, WA_LEVEL_WEBHOOK);
	provider = find_provider(&providers, name);
	if (provider->gateway->verify_token == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("provider \"%s\" does not verify addresses", provider->name)));
	expected = wa_route_load_proof(provider, provider->gateway->verify_token);
	if (expected == NULL || mode == NULL || strcmp(mode, "subscribe") != 0 ||
		!is_secret(token, expected, strlen(expected)))
		refuse(provider, true, expected != NULL);
	result = wa_call_text(&call, challenge ? challenge : "");
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
