/*-------------------------------------------------------------------------
 *
 * account_test.c
 *		Unit tests of what events about the account come to.
 *
 * An event and its detail, written as JSON with ' for ", and what comes of it
 * as one line: effect, what it is about, when it ends, which number, the
 * sentence.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "said.h"
#include "gateway/gateway.h"

static void
check_news(const char *kind, const char *event, const char *detail, const char *want, int line)
{
	char	   *json = detail == NULL ? NULL : strdup(detail);
	char	   *p;
	char		got[2 * WA_SAID_SIZE];
	char		words[4 * WA_SAID_SIZE];
	char		end[32] = "";
	WaAccountNews news;

	for (p = json; p != NULL && *p != '\0'; p++)
	{
		if (*p == '\'')
			*p = '"';
	}
	memset(&news, 0x7f, sizeof(news));
	wa_gateway_find(kind)->judge_account(event, json, &news);
	if (news.until != 0)
		snprintf(end, sizeof(end), " until=%lld", (long long) news.until);
	snprintf(got, sizeof(got), "%s %s%s%s%s: %s", wa_gateway_effect_name(news.effect),
			 wa_gateway_about_name(news.about), end, news.number[0] != '\0' ? " number=" : "", news.number,
			 english(&news.said));
	CHECK_STR_AT(__FILE__, line, got, want);
	/* and it is said in both languages */
	CHECK_AT(__FILE__, line, wa_text_say_words(words, sizeof(words), WA_SAID_IN(&news.said), WA_INDONESIAN) > 0);
	free(json);
}

#define META(event, detail, want)	check_news("meta", event, detail, want, __LINE__)
#define FONNTE(event, detail, want)	check_news("fonnte", event, detail, want, __LINE__)

#define RESTRICTED	"account_update/ACCOUNT_RESTRICTION"
#define VIOLATED	"account_update/ACCOUNT_VIOLATION"
#define DISABLED	"account_update/DISABLED_UPDATE"

static void
test_restrictions(void)
{
	META(RESTRICTED, "{'restriction_info':[{'restriction_type':'RESTRICTED_BIZ_INITIATED_MESSAGING','expiration':1790086400}]}",
		 "stop rules until=1790086400: Meta lets the account begin no conversations, so no templates go"
		 " (RESTRICTED_BIZ_INITIATED_MESSAGING).");
	META(RESTRICTED, "{'restriction_info':[{'restriction_type':'RESTRICTED_BIZ_INITIATED_MESSAGING','expiration':'1790086400'}]}",
		 "stop rules until=1790086400: Meta lets the account begin no conversations, so no templates go"
		 " (RESTRICTED_BIZ_INITIATED_MESSAGING).");
	META(RESTRICTED, "{'restriction_info':{'restriction_type':'RESTRICTED_BIZ_INITIATED_MESSAGING','expiration':'in June'}}",
		 "stop rules: Meta lets the account begin no conversations, so no templates go"
		 " (RESTRICTED_BIZ_INITIATED_MESSAGING, in June).");
	META(RESTRICTED, "{'restriction_info':[{'restriction_type':'RESTRICTED_CUSTOMER_INITIATED_MESSAGING','expiration':1790086400}]}",
		 "warn rules until=1790086400: Meta lets the account answer nobody in free text"
		 " (RESTRICTED_CUSTOMER_INITIATED_MESSAGING).");
	META(RESTRICTED, "{'restriction_info':[{'restriction_type':'RATE_LIMITED_UTILITY_TEMPLATE_MESSAGING'}]}",
		 "slower rules: Meta limits how many messages by utility templates go"
		 " (RATE_LIMITED_UTILITY_TEMPLATE_MESSAGING).");
	META(RESTRICTED, "{'restriction_info':[{'restriction_type':'RESTRICTED_UTILITY_TEMPLATES'}]}",
		 "warn rules: Meta lets the account make no utility templates, and may take those that exist for marketing"
		 " (RESTRICTED_UTILITY_TEMPLATES).");
	META(RESTRICTED, "{'restriction_info':[{'restriction_type':'RESTRICTED_ADD_PHONE_NUMBER_ACTION'}]}",
		 "warn rules: Meta restricts the account (RESTRICTED_ADD_PHONE_NUMBER_ACTION).");
	META(RESTRICTED, "{'restriction_info':[7]}", "warn rules: Meta restricts the account (-).");

	/* several: the most serious one, and of two alike the longer one */
	META(RESTRICTED, "{'restriction_info':[{'restriction_type':'RATE_LIMITED_UTILITY_TEMPLATE_MESSAGING'},"
		 "{'restriction_type':'RESTRICTED_BIZ_INITIATED_MESSAGING','expiration':1790086400},{'restriction_type':'NEW'}]}",
		 "stop rules until=1790086400: Meta lets the account begin no conversations, so no templates go"
		 " (RESTRICTED_BIZ_INITIATED_MESSAGING).");
	META(RESTRICTED, "{'restriction_info':[{'restriction_type':'A','expiration':5},{'restriction_type':'B','expiration':9},"
		 "{'restriction_type':'C','expiration':7}]}",
		 "warn rules until=9: Meta restricts the account (B).");
	META(RESTRICTED, "{'restriction_info':[{'restriction_type':'A'},{'restriction_type':'B','expiration':9}]}",
		 "warn rules: Meta restricts the account (A).");
	/* a violation besides does not lift it */
	META(RESTRICTED, "{'violation_info':{'violation_type':'SPAM_UNBAN'},"
		 "'restriction_info':[{'restriction_type':'RESTRICTED_BIZ_INITIATED_MESSAGING'}]}",
		 "stop rules: Meta lets the account begin no conversations, so no templates go"
		 " (RESTRICTED_BIZ_INITIATED_MESSAGING).");
}

static void
test_violations(void)
{
	/* the same event without restrictions: it may be over */
	META(RESTRICTED, "{'violation_info':{'violation_type':'UTILITY_TEMPLATE_ABUSE_RECOVERY'}}",
		 "resume rules: Meta has taken a restriction off the account (UTILITY_TEMPLATE_ABUSE_RECOVERY).");
	META(RESTRICTED, "{'restriction_info':[],'violation_info':{'violation_type':'SPAM_UNBAN'}}",
		 "resume rules: Meta has taken a restriction off the account (SPAM_UNBAN).");
	META(RESTRICTED, "{'violation_info':{'violation_type':'SPAM'}}",
		 "warn rules: Meta finds that the account breaks its rules (SPAM).");
	META(RESTRICTED, "{}", "warn else: Meta says of the account: account_update/ACCOUNT_RESTRICTION.");

	META(VIOLATED, "{'violation_info':{'violation_type':'UTILITY_TEMPLATE_ABUSE'}}",
		 "warn rules: Meta finds marketing in utility templates (UTILITY_TEMPLATE_ABUSE): next it limits their rate,"
		 " then takes them for marketing, then stops the portfolio.");
	META(VIOLATED, "{'violation_info':{'violation_type':'RECOVERY_OF_NOTHING'}}",
		 "warn rules: Meta finds that the account breaks its rules (RECOVERY_OF_NOTHING).");
	META(VIOLATED, "{'violation_info':{'violation_type':'ADULT_UNBAN'}}",
		 "resume rules: Meta has taken a restriction off the account (ADULT_UNBAN).");
}

static void
test_bans(void)
{
	META(DISABLED, "{'ban_info':{'waba_ban_state':'DISABLE','waba_ban_date':'June 1, 2026'}}",
		 "stop rules: Meta has disabled the account (DISABLE, June 1, 2026).");
	META(DISABLED, "{'ban_info':{'waba_ban_state':['DISABLE']}}",
		 "stop rules: Meta has disabled the account (DISABLE).");
	META(DISABLED, "{'ban_info':{'waba_ban_state':'REINSTATE'}}",
		 "resume rules: Meta has reinstated the account (REINSTATE).");
	META(DISABLED, "{'ban_info':{'waba_ban_state':['REINSTATE']}}",
		 "resume rules: Meta has reinstated the account (REINSTATE).");
	META(DISABLED, "{'ban_info':{'waba_ban_state':'SCHEDULE_FOR_DISABLE','waba_ban_date':'July 3'}}",
		 "warn rules: Meta is going to disable the account (SCHEDULE_FOR_DISABLE, July 3).");
	/* what is not clear stops nothing */
	META(DISABLED, "{'ban_info':{'waba_ban_state':['SCHEDULE_FOR_DISABLE','DISABLE','REINSTATE']}}",
		 "warn rules: Meta says of the account: ban_info.");
	META(DISABLED, "{'ban_info':{'waba_ban_state':'NEW'}}", "warn rules: Meta says of the account: NEW.");
	META(DISABLED, "{}", "warn else: Meta says of the account: account_update/DISABLED_UPDATE.");
	META(DISABLED, NULL, "warn else: Meta says of the account: account_update/DISABLED_UPDATE.");
	/* another event, the same word */
	META("account_update/NEW", "{'ban_info':{'waba_ban_state':'DISABLE'}}",
		 "stop rules: Meta has disabled the account (DISABLE).");
	META(DISABLED, "{'phone_number':'62215550000','ban_info':{'waba_ban_state':'DISABLE'}}",
		 "stop rules number=62215550000: Meta has disabled the account (DISABLE).");
	META(DISABLED, "{'phone_number':'+62 812-3456-7890','ban_info':{'waba_ban_state':'DISABLE'}}",
		 "stop rules number=6281234567890: Meta has disabled the account (DISABLE).");
}

static void
test_links(void)
{
	META("account_update/ACCOUNT_OFFBOARDED", "{}",
		 "stop link: Meta says that the account does not take part in its interface any more (ACCOUNT_OFFBOARDED).");
	META("account_update/ACCOUNT_RECONNECTED", "{}",
		 "resume link: Meta says that the account is connected again (ACCOUNT_RECONNECTED).");
	META("account_update/PARTNER_REMOVED", "{'disconnection_info':{'reason':'PRIMARY_INACTIVITY'}}",
		 "stop link: Meta has taken the account off the app, since the office's phone was off for 14 days"
		 " (PRIMARY_INACTIVITY): open WhatsApp Business on it and connect again.");
	META("account_update/PARTNER_REMOVED", "{'disconnection_info':{'reason':'NEW','initiated_by':'x'}}",
		 "stop link: Meta says that the account is not connected with the app any more (NEW).");
	META("account_update/PARTNER_REMOVED", "{'event':'PARTNER_REMOVED'}",
		 "stop link: Meta says that the account is not connected with the app any more (PARTNER_REMOVED).");
}

static void
test_else(void)
{
	META("phone_number_quality_update/DOWNGRADE",
		 "{'display_phone_number':'62215550000','max_daily_conversations_per_business':'TIER_250','current_limit':'TIER_1K'}",
		 "slower else number=62215550000: Meta tells the limit of the number (DOWNGRADE): TIER_250 a day.");
	META("phone_number_quality_update/UPGRADE", "{'current_limit':'TIER_2K'}",
		 "resume else: Meta tells the limit of the number (UPGRADE): TIER_2K a day.");
	META("phone_number_quality_update/FLAGGED", "{'current_limit':'TIER_2K'}",
		 "warn else: Meta tells the limit of the number (FLAGGED): TIER_2K a day.");
	META("phone_number_quality_update/FLAGGED", "{}",
		 "warn else: Meta says of the account: phone_number_quality_update/FLAGGED.");
	META("account_alerts/X", "{'alert_severity':'CRITICAL','alert_description':'Look here'}",
		 "warn else: Meta says of the account: account_alerts/X, Look here.");
	META("account_alerts/X", "{'alert_severity':'INFORMATIONAL'}",
		 "kept else: Meta says of the account: account_alerts/X.");
	META("phone_number_name_update/APPROVED", "{}",
		 "resume else: Meta says of the account: phone_number_name_update/APPROVED.");
	META("phone_number_name_update/REJECTED", "{'rejection_reason':'NAME_X'}",
		 "warn else: Meta says of the account: phone_number_name_update/REJECTED, NAME_X.");
	META("account_review_update/REJECTED", "{}", "warn else: Meta says of the account: account_review_update/REJECTED.");
	META("security/PIN_CHANGED", "{}", "warn else: Meta says of the account: security/PIN_CHANGED.");
	META("business_username_updates", "{}", "kept else: Meta says of the account: business_username_updates.");
	META("business_username_updates/ANY", "{}", "kept else: Meta says of the account: business_username_updates/ANY.");
	META("account_update/VERIFIED_ACCOUNT", "{}", "kept else: Meta says of the account: account_update/VERIFIED_ACCOUNT.");
	META("account_update/NEW", "{}", "warn else: Meta says of the account: account_update/NEW.");
	META("errors", "{'code':131031,'title':'Account locked'}", "warn else: Meta says of the account: errors, Account locked.");
	META(NULL, "[", "warn else: Meta says of the account: .");
}

static void
test_device(void)
{
	FONNTE("connect", "{'status':'connect'}", "resume link: Fonnte says that the device is linked again.");
	FONNTE("disconnect", "{'status':'disconnect','reason':'logged out'}",
		   "warn link: Fonnte says that the device has lost its link (reason: logged out).");
	FONNTE("disconnect", "{'device':'6281234567890'}",
		   "warn link number=6281234567890: Fonnte says that the device has lost its link (reason: none given).");
	FONNTE("disconnect", NULL, "warn link: Fonnte says that the device has lost its link (reason: none given).");
}

int
main(void)
{
	test_restrictions();
	test_violations();
	test_bans();
	test_links();
	test_else();
	test_device();
	return check_finish("account");
}
