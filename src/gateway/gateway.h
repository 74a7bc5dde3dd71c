/*-------------------------------------------------------------------------
 *
 * gateway.h
 *		Face of the provider gateways: message -> request, answer -> outcome.
 *
 * Pure C and json-c: no PostgreSQL, no sockets.  Each provider is one file
 * (meta.c, watzap.c, fonnte.c) and one line in WA_GATEWAYS of provider.h, and
 * nothing outside of this folder knows one: whatever depends on the kind of a
 * provider is a member of WaGateway.
 *
 * Memory: what a function fills in is malloc()ed and released by the function
 * named beside the type.  Input strings are UTF-8, NUL-terminated, and only
 * read during the call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_GATEWAY_H
#define SICANTIK_WA_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export.h"
#include "gateway/feedback.h"
#include "text/say.h"
#include "text/text.h"			/* WaPair */
#include "gateway/catalogue.h"

/* What one attempt came to.  The order is fixed; names in gateway.c. */
typedef enum WaOutcome
{
	WA_OUTCOME_ACCEPTED,		/* the provider took the message */
	WA_OUTCOME_RETRY,			/* refused or not sent; same provider later */
	WA_OUTCOME_THROTTLE,		/* refused: too fast; wait, then again */
	WA_OUTCOME_PROVIDER,		/* provider down, unpaid or misconfigured */
	WA_OUTCOME_TEMPLATE,		/* this template mapping cannot be used */
	WA_OUTCOME_RECIPIENT,		/* this number cannot or must not get it */
	WA_OUTCOME_POLICY,			/* not now or not this way */
	WA_OUTCOME_CALLER,			/* our request is wrong: never unchanged */
	WA_OUTCOME_UNKNOWN			/* may or may not have been accepted */
} WaOutcome;

#define WA_OUTCOME_COUNT	(WA_OUTCOME_UNKNOWN + 1)

/* What a wait (THROTTLE, POLICY) or trouble with a template concerns. */
typedef enum WaScope
{
	WA_SCOPE_MESSAGE,			/* this message only */
	WA_SCOPE_RECIPIENT,			/* everything to this number */
	WA_SCOPE_PROVIDER			/* everything through this provider; TEMPLATE:
								 * by this template */
} WaScope;

/* May another provider take the message over? */
typedef enum WaFallback
{
	WA_FALLBACK_YES,
	WA_FALLBACK_CARE,			/* allowed, but only where configured */
	WA_FALLBACK_NO
} WaFallback;

/* How the message is to be put to the provider. */
typedef enum WaForm
{
	WA_FORM_TEXT,				/* rendered text (body) */
	WA_FORM_POSITIONAL,			/* template, parameters by position */
	WA_FORM_NAMED				/* template, parameters by name (Meta) */
} WaForm;

typedef struct WaOutbound
{
	const char *number;			/* E.164 digits without '+'; or a person's id,
								 * where the settings allow it (id_setting) */
	WaForm		form;
	const char *body;			/* WA_FORM_TEXT: the text */
	const char *template_name;	/* else: the provider's template name or id */
	const char *language;		/* Meta's language code; NULL means "id" */
	const WaPair *params;		/* else: in the mapping's order */
	size_t		nparams;
	const char *callback;		/* our mark, echoed by Meta; <= 256 ASCII */
} WaOutbound;

/* One HTTP request, complete.  The header lines have no line ends. */
typedef struct WaRequest
{
	const char *method;			/* "GET" or "POST"; static */
	char	   *url;
	char	  **headers;
	size_t		nheaders;
	char	   *body;			/* NULL for GET */
	size_t		body_len;
	const char *usage_header;	/* the WaGateway's; static */
	size_t		reply_bytes;	/* of its answer, kept at most; 0: as usual */
} WaRequest;

/* One HTTP answer as it came.  body is NUL-terminated behind body_len. */
typedef struct WaReply
{
	int			http_status;
	long		retry_after_s;	/* Retry-After in seconds, or -1 */
	const char *usage_header;	/* value of the WaGateway's, or NULL */
	const char *body;
	size_t		body_len;
	bool		truncated;		/* the body was longer than we keep */
} WaReply;

#define WA_CODE_SIZE		64

/* In the place of a provider's code: we broke the request off ourselves. */
#define WA_CODE_INTERRUPTED	"interrupted"
#define WA_CODE_WITHHELD	"withheld"

#define WA_REASON_SIZE		512
#define WA_MESSAGE_ID_SIZE	256
#define WA_UNLISTED_SIZE	128

/*
 * The verdict on one answer.  Strings are valid UTF-8 without control bytes.
 * Code, what is said and message id may quote the answer, and an answer may echo a
 * secret: pass them through wa_gateway_redact() before they are stored or
 * logged.
 *
 * Only ACCEPTED proves acceptance, and only UNKNOWN leaves it open; every
 * other outcome is a certain refusal.
 */
typedef struct WaVerdict
{
	WaOutcome	outcome;
	WaScope		scope;
	WaFallback	fallback;
	bool		opt_out;		/* the person wants no marketing of ours */
	bool		not_reached;	/* RETRY: the provider's own server has not
								 * seen the request */
	int			max_retries;	/* same provider; -1: only the general limit */
	long		wait_s;			/* told or documented wait in seconds, at most
								 * a day; -1: none, so back off */
	long		backoff_s;		/* first step of that backoff in seconds; -1:
								 * the general one */
	char		code[WA_CODE_SIZE]; /* provider's own code or "" */
	WaSaidText	said;			/* for people */
	char		message_id[WA_MESSAGE_ID_SIZE]; /* provider's id or ""; may be
												 * there without acceptance */

	/*
	 * CALLER: refused for a reason that is in no table of ours; the
	 * provider's words in short, "#" for figures, so that they are the same
	 * for each recipient.  "" otherwise.
	 */
	char		unlisted[WA_UNLISTED_SIZE];
} WaVerdict;

/* The verdict on a connection test. */
typedef struct WaHealth
{
	bool		ok;
	WaSaidText	said;			/* for people, secrets removed */
	char	   *detail;			/* JSON object, secrets removed; NULL only
								 * without memory; wa_gateway_health_free */
	long		quota_left;		/* messages that may still go; -1: not told */
	long		daily_limit;	/* messages a day; -1: not told or none */
} WaHealth;

/* One setting that a provider of this kind knows. */
/* The office's number, which people write to; no request has it. */
#define WA_GATEWAY_OWN_NUMBER	"own_number"

typedef struct WaGatewaySetting
{
	const char *name;
	bool		secret;			/* kept in wa.secret, never shown */
	bool		required;		/* needed before anything can be sent */
	const char *default_value;	/* or NULL */
} WaGatewaySetting;

/* Which version of the provider's API is asked for, and how long it is served. */
typedef struct WaGatewayVersion
{
	const char *setting;		/* the setting's name */
	const char *version;		/* its value, or the default */
	const char *proposed;		/* the default */
	const char *ends;			/* a day, "2027-01-21"; "": not announced;
								 * NULL: nothing is known of this version */
} WaGatewayVersion;

/* How fast, and how much, a new provider may send.  Times in microseconds. */
typedef struct WaGatewayLimits
{
	int			max_in_flight;
	int64_t		min_gap_us;
	int64_t		gap_jitter_us;
	double		rate_per_second;	/* 0: no limit */
	int			daily_cap;		/* -1: no limit */
	int64_t		recipient_gap_us;
} WaGatewayLimits;

#define WA_MAX_OBJECTIONS	8

/*
 * A provider.  What is not given (NULL, 0, false) is not needed: a gateway
 * that takes plain text is kind, name, base_url, limits, settings, and the
 * four functions that build and judge.
 */
typedef struct WaGateway
{
	const char *kind;			/* "meta": in rows, settings, names of files */
	const char *name;			/* "Meta": for people */
	const char *base_url;		/* default, without a final slash; its host is
								 * allowed without being named */
	bool		official;		/* needs opt-in and approved templates */
	bool		has_templates;	/* knows templates of its own */
	size_t		max_param_name; /* bytes of a parameter's name; 0: takes them
								 * by position only */
	size_t		max_text_chars;
	int			sequence;		/* of the row that wa_setup() adds; 0: none */
	const WaGatewayLimits *limits;	/* of a new provider */
	const char *usage_header;	/* of an answer, in lower case, that judge()
								 * wants to see; or NULL */
	const WaGatewaySetting *settings;
	size_t		nsettings;

	/*
	 * Build the request for a message.  base_url NULL or "" means the one
	 * above; whether the URL may be reached is wa_gateway_url_allowed()'s
	 * question.  Returns false, with *req empty and the cause in err, if the
	 * message or the settings cannot make a request.  err never holds a
	 * secret.
	 */
	bool		(*build) (const char *base_url,
						  const WaPair *settings, size_t nsettings,
						  const WaOutbound *msg, WaRequest *req,
						  WaSaidText *err);

	/*
	 * Class an answer to a request of build(), whatever it holds.  Fills all
	 * of *verdict.  Not for requests that got no answer: those are the
	 * transport's to class.
	 */
	void		(*judge) (const WaReply *reply, WaVerdict *verdict);

	/* Build the provider's status call: it must never send a message. */
	bool		(*build_test) (const char *base_url,
							   const WaPair *settings, size_t nsettings,
							   WaRequest *req, WaSaidText *err);

	/*
	 * Read the answer of the status call.  Fills all of *health; release it
	 * with wa_gateway_health_free().
	 */
	void		(*judge_test) (const WaPair *settings, size_t nsettings,
							   const WaReply *reply, WaHealth *health);

	/*
	 * The parameters of a template as build() writes them, as JSON; named:
	 * with their names.  Values are cleaned as by wa_text_clean_value().
	 * malloc()ed; NULL: no memory, or (named) a parameter without a name.
	 */
	char	   *(*write_params) (const WaPair *params, size_t nparams, bool named);

	/* Which version of the API the settings ask for, where it has versions. */
	void		(*version) (const WaPair *settings, size_t nsettings,
							WaGatewayVersion *version);

	/* Milliseconds that an answer may take, where that is unusually long. */
	long		(*timeout_ms) (const WaPair *settings, size_t nsettings);

	/* What such a name of a template lacks, for people, or NULL. */
	const char *(*refuse_name) (const char *name);

	/*
	 * Why the provider would not approve this body of a template (its
	 * placeholders are well-formed): static sentences.  Returns how many.
	 */
	int			(*object) (const char *body,
						   const char *objections[WA_MAX_OBJECTIONS]);

	/*
	 * The rest is for those whose templates can be read; NULL: they cannot.
	 * The setting that this needs and sending does not; or NULL.
	 */
	const char *account_setting;

	/* What a word of the provider's for a template's state means. */
	WaTemplateStanding (*template_standing) (const char *word);

	/*
	 * Build the request for a page of the provider's own templates: behind
	 * after (NULL or "": the first one), at most limit of them.
	 */
	bool		(*build_templates) (const char *base_url,
									const WaPair *settings, size_t nsettings,
									const char *after, int limit,
									WaRequest *req, WaSaidText *err);

	/* Read its answer; take() is called for each template. */
	void		(*read_templates) (const WaReply *reply, WaTakeTemplate take,
								   void *argument, WaTemplatePage *page);

	/*
	 * A template as the provider takes it, JSON that a person can paste.
	 * malloc()ed; NULL, and the cause in err, if none can be made of it.
	 */
	char	   *(*write_template) (const WaTemplateDraft *draft, WaSaidText *err);

	/* Build the request that makes it, and read the answer. */
	bool		(*build_template) (const char *base_url,
								   const WaPair *settings, size_t nsettings,
								   const char *json, WaRequest *req,
								   WaSaidText *err);
	void		(*read_template) (const WaReply *reply, WaTemplateMade *made);

	/*
	 * Read what an update of kind WA_UPDATE_TEMPLATE tells, its event and its
	 * detail; false: nothing that we know.  The caller has seen to it that
	 * there is memory for the detail: wa_text_json_room().
	 */
	bool		(*read_template_news) (const char *event, const char *detail,
									   WaTemplateNews *news);

	/*
	 * Ids of messages in which the recipient's number can be read: the length
	 * of the one that text begins with, 0 if it begins with none, and which
	 * bytes of it tell the number.
	 */
	size_t		(*telling_id) (const char *text, size_t *from, size_t *count);

	/*
	 * Read the body of a webhook, whatever it holds, and call take() for each
	 * update; now is the time of arrival, in seconds since 1970.  What is not
	 * readable is an update of its own.  False without memory: then nothing
	 * of it may be kept as read.
	 */
	bool		(*read_feedback) (const char *body, size_t len, int64_t now,
								  WaTakeUpdate take, void *argument);

	/*
	 * The secret setting by which a webhook proves that it is the provider's:
	 * any of the values in it, which blanks or commas separate.
	 * signs_feedback: the body is signed with it (HMAC-SHA256, hexadecimal,
	 * behind "sha256="); else it comes along.  NULL: it takes no webhooks.
	 */
	const char *feedback_secret;
	bool		signs_feedback;

	/*
	 * the setting, true or false, that lets messages go to people of whom
	 * only the provider's id is known; NULL: they never do
	 */
	const char *id_setting;

	/*
	 * the setting that says which number of ours an update is of
	 * (WaUpdate.sender_id), or NULL: that cannot be told
	 */
	const char *sender_setting;
	/* the setting with the token of the address' verification, or NULL */
	const char *verify_token;

	/*
	 * Class the failure that a status tells later (WA_PROGRESS_FAILED), as
	 * judge() would an answer.  code and words may be NULL.  The caller has
	 * seen to it that there is memory for the code.
	 */
	void		(*judge_failure) (const char *code, const char *words,
								  WaVerdict *verdict);

	/*
	 * Class an update of kind WA_UPDATE_ACCOUNT by its event and its detail,
	 * each of which may be NULL.  Fills all of *news; what is not known is
	 * WARN.  The caller has seen to it that there is memory for the detail.
	 */
	void		(*judge_account) (const char *event, const char *detail,
								  WaAccountNews *news);
} WaGateway;

/* gateway.c */
WA_EXPORT extern const WaGateway *wa_gateway_find(const char *kind);
WA_EXPORT extern const WaGateway *wa_gateway_at(size_t index);	/* NULL at the end */
extern const WaGateway *wa_gateway_proposed(size_t index);	/* likewise */
extern void wa_gateway_kinds(char *dst, size_t size);
extern void wa_gateway_usual_hosts(char *dst, size_t size);
extern char *wa_gateway_params(const WaGateway *gateway, const WaPair *params,
							   size_t nparams, bool named);
extern bool wa_gateway_open_setting(const char *name);
extern size_t wa_gateway_telling_id(const char *text, size_t *from, size_t *count);
WA_EXPORT extern const char *wa_gateway_setting(const WaPair *settings,
												size_t nsettings,
												const char *name);
WA_EXPORT extern bool wa_gateway_boolean(const char *value, bool *result);
WA_EXPORT extern const char *wa_gateway_outcome_name(WaOutcome outcome);
WA_EXPORT extern bool wa_gateway_outcome_from_name(const char *name, WaOutcome *out);
WA_EXPORT extern void wa_gateway_request_free(WaRequest *req);
WA_EXPORT extern void wa_gateway_health_free(WaHealth *health);

/* feedback.c */
WA_EXPORT extern const char *wa_gateway_update_kind_name(WaUpdateKind kind);
WA_EXPORT extern const char *wa_gateway_progress_name(WaProgress progress);
extern const char *wa_gateway_effect_name(WaAccountEffect effect);
extern const char *wa_gateway_about_name(WaAccountAbout about);

/* languages.c: WhatsApp's code for the language of a template, or NULL */
WA_EXPORT extern const char *wa_gateway_language(const char *given);

/*
 * allowed_host.c: may a provider of this kind be reached at this URL?
 * allowed is the list setting, entries "kind=host[:port]" separated by commas.
 */
WA_EXPORT extern bool wa_gateway_url_allowed(const char *kind, const char *url,
											 const char *allowed,
											 WaSaidText *err);
WA_EXPORT extern bool wa_gateway_allowed_list_valid(const char *allowed,
													WaSaidText *err);

/* request.c: can paths of requests be put behind this URL? */
WA_EXPORT extern bool wa_gateway_base_url_ok(const char *url,
											 WaSaidText *err);

/*
 * redact.c: a copy of text in which every secret value is replaced by "***"
 * and everything that is not printable UTF-8 by '?'.  malloc()ed.
 */
WA_EXPORT extern char *wa_gateway_redact(const char *text, size_t len,
										 const WaPair *secrets, size_t nsecrets,
										 size_t max_bytes);
WA_EXPORT extern void wa_gateway_redact_said(WaSaidText *text, const WaPair *secrets,
											 size_t nsecrets);

#endif							/* SICANTIK_WA_GATEWAY_H */
