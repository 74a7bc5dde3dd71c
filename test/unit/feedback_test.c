/*-------------------------------------------------------------------------
 *
 * feedback_test.c
 *		Unit tests of the reader of Meta's webhooks.
 *
 * Each body is written as JSON with ' for ", and each update that comes of it
 * as one line: its kind and event, then what is told, in a fixed order.  So a
 * case says all of what is read, and what is not.
 *
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "said.h"
#include "gateway/provider.h"

#define NOW		INT64_C(1795000000)

#define META	"'metadata':{'display_phone_number':'62215550000','phone_number_id':'1065'}"

/* What was read, a line each. */
static char *lines;
static size_t lines_size;
static FILE *out;
static long updates;

static void
show(const char *name, const char *value)
{
	if (value != NULL)
		fprintf(out, " %s=%s", name, value);
}

static void
take(const WaUpdate *u, void *argument)
{
	(void) argument;
	updates++;
	fprintf(out, "%s %s", wa_gateway_update_kind_name(u->kind), u->event ? u->event : "-");
	show("sender", u->sender_id && strcmp(u->sender_id, "1065") == 0 ? NULL : u->sender_id);
	show("account", u->account_id && strcmp(u->account_id, "102") == 0 ? NULL : u->account_id);
	if (u->said_at != 0)
		fprintf(out, " at=%lld", (long long) u->said_at);
	show("number", u->number);
	show("id", u->user_id);
	show("parent", u->parent_user_id);
	show("name", u->name);
	show("was", u->previous_number);
	show("was_id", u->previous_user_id);
	show("message", u->message_id);
	show("pair", u->pair_id);
	show("callback", u->callback);
	show("progress", wa_gateway_progress_name(u->progress));
	show("code", u->code);
	show("words", u->words);
	show("pricing", u->pricing);
	show("text", u->text);
	show("keyword", u->keyword && u->text && strcmp(u->keyword, u->text) == 0 ? "same" : u->keyword);
	if (u->only_out)
		fputs(" only_out", out);
	if (u->opens_window)
		fputs(" window", out);
	if (u->proves_number)
		fputs(" proves", out);
	show("answers", u->answers);
	if (u->wants)
		fputs(" wants", out);
	show("template", u->template_name);
	show("language", u->language);
	show("detail", u->detail);
	show("excerpt", u->excerpt);
	fputc('\n', out);
}

static char *
quoted(const char *body)
{
	char	   *copy = strdup(body);
	char	   *p;

	for (p = copy; *p != '\0'; p++)
	{
		if (*p == '\'')
			*p = '"';
	}
	return copy;
}

/* Read a body; the lines are in "lines" until the next one. */
static bool
read_bytes(const char *body, size_t len)
{
	bool		ok;

	free(lines);
	lines = NULL;
	updates = 0;
	out = open_memstream(&lines, &lines_size);
	ok = wa_gateway_find("meta")->read_feedback(body, len, NOW, take, NULL);
	fclose(out);
	return ok;
}

static void
check_body(const char *body, const char *want, int line)
{
	char	   *json = quoted(body);
	char	   *expected = quoted(want);

	CHECK_AT(__FILE__, line, read_bytes(json, strlen(json)));
	CHECK_STR_AT(__FILE__, line, lines, expected);
	free(json);
	free(expected);
}

/* A body with one change of a field, of account 102. */
static void
check_change(const char *field, const char *value, const char *want, int line)
{
	size_t		size = strlen(field) + strlen(value) + 200;
	char	   *body = malloc(size);

	snprintf(body, size, "{'object':'whatsapp_business_account','entry':[{'id':'102','time':1790000000,"
			 "'changes':[{'field':'%s','value':%s}]}]}", field, value);
	check_body(body, want, line);
	free(body);
}

/* A value of field messages, with the metadata and these members. */
static void
check_messages(const char *members, const char *want, int line)
{
	size_t		size = strlen(members) + 200;
	char	   *value = malloc(size);

	snprintf(value, size, "{'messaging_product':'whatsapp'," META ",%s}", members);
	check_change("messages", value, want, line);
	free(value);
}

#define BODY(body, want)			check_body(body, want, __LINE__)
#define CHANGE(field, value, want)	check_change(field, value, want, __LINE__)
#define MESSAGES(members, want)		check_messages(members, want, __LINE__)

#define STATUS(members, want) \
	MESSAGES("'statuses':[{'id':'wamid.X','timestamp':'1790000001'," members "}]", want)
#define MESSAGE(members, want) \
	MESSAGES("'contacts':[{'profile':{'name':'Budi'},'wa_id':'6281234567890'}]," \
			 "'messages':[{'from':'6281234567890','id':'wamid.I','timestamp':'1790000001'," members "}]", want)
#define BUDI	" at=1790000001 number=6281234567890 name=Budi message=wamid.I"

static void
test_envelope(void)
{
	/* members in any order, several of each level */
	BODY("{'entry':[{'changes':[{'value':{'statuses':[{'status':'read','id':'a'},{'status':'sent','id':'b'}],"
		 "'metadata':{'phone_number_id':'7'}},'field':'messages'},"
		 "{'value':{'messages':[{'id':'c','type':'text','text':{'body':'x'},'from':'6281111111111'}]},'field':'messages'}],'id':'103'},"
		 "{'id':104,'changes':[{'field':'messages','value':{'statuses':[{'id':'d','status':'delivered'}]}}]}],"
		 "'object':'whatsapp_business_account'}",
		 "status read sender=7 account=103 message=a progress=read\n"
		 "status sent sender=7 account=103 message=b progress=sent\n"
		 "inbound text account=103 number=6281111111111 message=c text=x keyword=same window\n"
		 "status delivered account=104 message=d progress=delivered\n");

	/* by the field, never by the members */
	CHANGE("history", "{" META ",'messages':[{'from':'6281234567890','id':'h','type':'text','text':{'body':'STOP'}}]}",
		   "kept history excerpt={" META ",'messages':[{'from':'6281234567890','id':'h','type':'text','text':{'body':'STOP'}}]}\n");
	CHANGE("account_update", "{'messages':[{'from':'6281234567890','id':'h','type':'text','text':{'body':'STOP'}}]}",
		   "account account_update at=1790000000 detail={'messages':[{'from':'6281234567890','id':'h','type':'text','text':{'body':'STOP'}}]}\n");
	CHANGE("news", "{'statuses':[{'id':'a','status':'read'}]}",
		   "unknown news excerpt={'field':'news','value':{'statuses':[{'id':'a','status':'read'}]}}\n");
	BODY("{'object':'whatsapp_business_account','entry':[{'id':'102','changes':[{'value':{'statuses':[{'id':'a','status':'read'}]}}]}]}",
		 "unknown - excerpt={'value':{'statuses':[{'id':'a','status':'read'}]}}\n");
	BODY("{'object':'instagram','entry':[{'id':'102','changes':[{'field':'messages','value':{'statuses':[{'id':'a','status':'read'}]}}]}]}",
		 "unknown - excerpt={'object':'instagram','entry':[{'id':'102','changes':[{'field':'messages','value':{'statuses':[{'id':'a','status':'read'}]}}]}]}\n");

	/* a sample as the dashboard shows it */
	BODY("{'field':'messages','value':{" META ",'messages':[{'from':'16315551181','id':'ABGG','timestamp':'1504902988','type':'text','text':{'body':'this is a text message'}}]}}",
		 "inbound text at=1504902988 number=16315551181 message=ABGG text=this is a text message keyword=same window\n");

	/* at least one update comes of each change and each entry */
	BODY("{'object':'whatsapp_business_account','entry':[]}",
		 "unknown - excerpt={'object':'whatsapp_business_account','entry':[]}\n");
	BODY("{'object':'whatsapp_business_account','entry':[{'id':'102'},null,7]}",
		 "unknown - excerpt={'id':'102'}\nunknown - excerpt=null\nunknown - excerpt=7\n");
	CHANGE("messages", "{}", "unknown messages excerpt={'field':'messages','value':{}}\n");
	CHANGE("messages", "null", "unknown messages excerpt={'field':'messages','value':null}\n");
	CHANGE("messages", "[1]", "unknown messages excerpt={'field':'messages','value':[1]}\n");
	BODY("{}", "unknown - excerpt={}\n");

	/* times: text or number; unreadable, or to come: not told */
	CHANGE("messages", "{'statuses':[{'id':'a','status':'read','timestamp':'1790000001'},"
		   "{'id':'a','status':'read','timestamp':1790000001},{'id':'a','status':'read','timestamp':'soon'},"
		   "{'id':'a','status':'read','timestamp':'1795000001'},{'id':'a','status':'read','timestamp':''},"
		   "{'id':'a','status':'read','timestamp':-5},{'id':'a','status':'read','timestamp':99999999999999999999},"
		   "{'id':'a','status':'read','timestamp':{}},{'id':'a','status':'read','timestamp':'1795000000'}]}",
		   "status read at=1790000001 message=a progress=read\n"
		   "status read at=1790000001 message=a progress=read\n"
		   "status read message=a progress=read\n"
		   "status read message=a progress=read\n"
		   "status read message=a progress=read\n"
		   "status read message=a progress=read\n"
		   "status read message=a progress=read\n"
		   "status read message=a progress=read\n"
		   "status read at=1795000000 message=a progress=read\n");
}

static void
test_statuses(void)
{
	STATUS("'status':'sent','recipient_id':'6281234567890','biz_opaque_callback_data':'swa:1:42',"
		   "'conversation':{'id':'c','expiration_timestamp':'1790086400','origin':{'type':'utility'}},"
		   "'pricing':{'billable':true,'pricing_model':'PMP','type':'regular','category':'utility'}",
		   "status sent at=1790000001 number=6281234567890 message=wamid.X callback=swa:1:42 progress=sent"
		   " pricing={'category':'utility','type':'regular','billable':true,'model':'PMP'}\n");
	STATUS("'status':'delivered','pricing':{'category':'authentication-international','type':'free_customer_service','subtype':'paid_exempt','x':1}",
		   "status delivered at=1790000001 message=wamid.X progress=delivered"
		   " pricing={'category':'authentication-international','type':'free_customer_service','subtype':'paid_exempt'}\n");
	STATUS("'status':'delivered','pricing':{'category':'','billable':{}}",
		   "status delivered at=1790000001 message=wamid.X progress=delivered\n");
	STATUS("'status':'read'", "status read at=1790000001 message=wamid.X progress=read\n");
	STATUS("'status':'played'", "status played at=1790000001 message=wamid.X progress=read\n");
	STATUS("'status':'READ'", "status READ at=1790000001 message=wamid.X progress=read\n");
	STATUS("'status':'deleted'",
		   "kept deleted at=1790000001 message=wamid.X excerpt={'id':'wamid.X','timestamp':'1790000001','status':'deleted'}\n");
	STATUS("'status':''",
		   "unknown - at=1790000001 message=wamid.X excerpt={'id':'wamid.X','timestamp':'1790000001','status':''}\n");

	/* failed: errors; nothing but the id is sure */
	STATUS("'status':'failed','errors':[{'code':131026,'title':'Message undeliverable','message':'Message undeliverable',"
		   "'error_data':{'details':'Not on WhatsApp.'},'href':'/docs/x'}]",
		   "status failed at=1790000001 message=wamid.X progress=failed code=131026 words=Not on WhatsApp.\n");
	STATUS("'status':'failed','errors':[{'title':'no code'},{'code':'131050','title':'Stopped'}]",
		   "status failed at=1790000001 message=wamid.X progress=failed code=131050 words=Stopped\n");
	STATUS("'status':'failed','errors':[{'title':'no code','message':'why'}]",
		   "status failed at=1790000001 message=wamid.X progress=failed words=why\n");
	STATUS("'status':'failed','errors':{'code':131049,'error_data':'plain'}",
		   "status failed at=1790000001 message=wamid.X progress=failed code=131049 words=plain\n");
	STATUS("'status':'failed'", "status failed at=1790000001 message=wamid.X progress=failed\n");
	STATUS("'status':'failed','errors':'x'", "status failed at=1790000001 message=wamid.X progress=failed\n");
	/* ... which are only told of what failed */
	STATUS("'status':'delivered','errors':[{'code':1}]", "status delivered at=1790000001 message=wamid.X progress=delivered\n");

	/* without an id our mark is left; without both there is nothing */
	MESSAGES("'statuses':[{'status':'sent','biz_opaque_callback_data':'swa:1:42'},{'status':'sent','id':''},{'status':'sent','id':{}},7]",
			 "status sent callback=swa:1:42 progress=sent\n"
			 "unknown sent excerpt={'status':'sent','id':''}\n"
			 "unknown sent excerpt={'status':'sent','id':{}}\n"
			 "unknown - excerpt=7\n");

	/* who: number and id, both spellings of the parent; the contact of it */
	STATUS("'status':'read','recipient_id':'6281234567890','recipient_user_id':'ID.13','recipient_parent_user_id':'ID.ENT.11'",
		   "status read at=1790000001 number=6281234567890 id=ID.13 parent=ID.ENT.11 message=wamid.X progress=read\n");
	STATUS("'status':'read','recipient_user_id':'ID.13','parent_recipient_user_id':'ID.ENT.11'",
		   "status read at=1790000001 id=ID.13 parent=ID.ENT.11 message=wamid.X progress=read\n");
	STATUS("'status':'read','recipient_id':'','recipient_user_id':''", "status read at=1790000001 message=wamid.X progress=read\n");
	MESSAGES("'contacts':[{'wa_id':'6281234567890','user_id':'ID.13','profile':{'name':'Budi'}}],"
			 "'statuses':[{'id':'wamid.X','status':'read','recipient_id':'6281234567890'}]",
			 "status read number=6281234567890 id=ID.13 name=Budi message=wamid.X progress=read\n");

	/* to a group: recipient_id is the group */
	STATUS("'status':'read','recipient_type':'group','recipient_id':'12036304','recipient_participant_id':'6281234567890',"
		   "'recipient_participant_user_id':'ID.13','recipient_participant_parent_user_id':'ID.ENT.11'",
		   "status read at=1790000001 number=6281234567890 id=ID.13 parent=ID.ENT.11 message=wamid.X progress=read\n");
	STATUS("'status':'delivered','recipient_type':'group','recipient_id':'6281234567'",
		   "status delivered at=1790000001 message=wamid.X progress=delivered\n");
	STATUS("'status':'delivered','recipient_id':'6281234567','recipient_participant_user_id':'ID.13'",
		   "status delivered at=1790000001 id=ID.13 message=wamid.X progress=delivered\n");
	MESSAGES("'contacts':[{'wa_id':'6281234567890'}],'statuses':[{'id':'x','status':'sent','recipient_type':'group','recipient_id':'g'}]",
			 "status sent message=x progress=sent\n");
}

static void
test_persons(void)
{
#define FROM(members, want) MESSAGES("'messages':[{'id':'m','type':'sticker'," members "}]", want)
	FROM("'from':'6281234567890'", "inbound sticker number=6281234567890 message=m window\n");
	FROM("'from':'+6281234567890'", "inbound sticker number=6281234567890 message=m window\n");
	FROM("'from':6281234567890", "inbound sticker number=6281234567890 message=m window\n");
	FROM("'from':'12345678'", "inbound sticker number=12345678 message=m window\n");
	FROM("'from':'123456789012345'", "inbound sticker number=123456789012345 message=m window\n");
	FROM("'from':'1234567'", "inbound sticker message=m window\n");
	FROM("'from':'1234567890123456'", "inbound sticker message=m window\n");
	FROM("'from':'081234567890'", "inbound sticker message=m window\n");
	FROM("'from':''", "inbound sticker message=m window\n");
	FROM("'from':'62 812 3456 7890'", "inbound sticker message=m window\n");
	FROM("'from':'6281234567890@c.us'", "inbound sticker message=m window\n");
	FROM("'from':null", "inbound sticker message=m window\n");
	FROM("'from':['6281234567890']", "inbound sticker message=m window\n");
	/* an id in its place */
	FROM("'from':'ID.13491208655302741918'", "inbound sticker id=ID.13491208655302741918 message=m window\n");
	FROM("'from':'ID.ENT.118'", "inbound sticker parent=ID.ENT.118 message=m window\n");
	FROM("'from':'ID.13','from_user_id':'ID.14','from_parent_user_id':'ID.ENT.11'",
		 "inbound sticker id=ID.14 parent=ID.ENT.11 message=m window\n");
	FROM("'from':'id.13'", "inbound sticker message=m window\n");
	FROM("'from':'ID.'", "inbound sticker message=m window\n");
	FROM("'from':'IDN.13'", "inbound sticker message=m window\n");
	FROM("'from':'ID.1 3'", "inbound sticker message=m window\n");
	FROM("'from':'','from_user_id':'ID.13'", "inbound sticker id=ID.13 message=m window\n");

	/* of several contacts, the one that is meant */
	MESSAGES("'contacts':[{'wa_id':'6281111111111','profile':{'name':'A'},'user_id':'ID.1'},{'wa_id':'','user_id':'ID.2','profile':{'name':'B'}}],"
			 "'messages':[{'id':'m','type':'sticker','from_user_id':'ID.2'},{'id':'n','type':'sticker','from':'6281111111111'},"
			 "{'id':'o','type':'sticker','from':'6282222222222'}]",
			 "inbound sticker id=ID.2 name=B message=m window\n"
			 "inbound sticker number=6281111111111 id=ID.1 name=A message=n window\n"
			 "inbound sticker number=6282222222222 message=o window\n");
	/* a number in the contact binds, an id in the place of a number too */
	MESSAGES("'contacts':[{'wa_id':'6281111111111','user_id':'ID.1','parent_user_id':'ID.ENT.1','profile':{'name':'','username':'budi'}}],"
			 "'messages':[{'id':'m','type':'sticker','from_user_id':'ID.1'}]",
			 "inbound sticker number=6281111111111 id=ID.1 parent=ID.ENT.1 name=budi message=m window detail={'username':'budi'}\n");
	MESSAGES("'contacts':[{'wa_id':'ID.1'}],'messages':[{'id':'m','type':'sticker'}]",
			 "inbound sticker id=ID.1 message=m window\n");
	/* the only contact, where nothing speaks against it */
	MESSAGES("'contacts':[{'user_id':'ID.1'}],'messages':[{'id':'m','type':'sticker','from':'6281111111111'}]",
			 "inbound sticker number=6281111111111 id=ID.1 message=m window\n");
	MESSAGES("'contacts':[{'wa_id':'6282222222222','user_id':'ID.1','profile':{'name':'A'}}],'messages':[{'id':'m','type':'sticker','from':'6281111111111'}]",
			 "inbound sticker number=6281111111111 message=m window\n");
	MESSAGES("'contacts':[{'wa_id':'6281111111111','user_id':'ID.1','profile':{'name':'A'}}],'messages':[{'id':'m','type':'sticker','from':'6281111111111','from_user_id':'ID.2'}]",
			 "inbound sticker number=6281111111111 id=ID.2 message=m window\n");
	MESSAGES("'contacts':[{'user_id':'ID.1'}],'messages':[{'id':'m','type':'sticker','from':'6281111111111'},{'id':'n','type':'sticker','from':'6282222222222'}]",
			 "inbound sticker number=6281111111111 message=m window\n"
			 "inbound sticker number=6282222222222 message=n window\n");
	MESSAGES("'contacts':7,'messages':[{'id':'m','type':'sticker','from':'6281111111111'}]",
			 "inbound sticker number=6281111111111 message=m window\n");
}

static void
test_system(void)
{
#define SYSTEM(members, want) MESSAGES("'messages':[{'id':'m','timestamp':'1790000001','type':'system'," members "}]", want)
	SYSTEM("'from':'6281111111111','system':{'type':'user_changed_number','body':'User A changed from 6281111111111 to 6282222222222',"
		   "'wa_id':'6282222222222','user_id':'ID.2','previous_user_id':'ID.1','parent_user_id':'ID.ENT.2'}",
		   "person user_changed_number at=1790000001 number=6282222222222 id=ID.2 parent=ID.ENT.2 was=6281111111111 was_id=ID.1 message=m"
		   " words=User A changed from 6281111111111 to 6282222222222\n");
	/* older: no former id; from_user_id is it, if it is another */
	SYSTEM("'from':'6281111111111','from_user_id':'ID.1','system':{'type':'user_changed_number','wa_id':'6282222222222','user_id':'ID.2'}",
		   "person user_changed_number at=1790000001 number=6282222222222 id=ID.2 was=6281111111111 was_id=ID.1 message=m\n");
	SYSTEM("'from':'6281111111111','from_user_id':'ID.2','system':{'type':'user_changed_number','wa_id':'6282222222222','user_id':'ID.2'}",
		   "person user_changed_number at=1790000001 number=6282222222222 id=ID.2 was=6281111111111 message=m\n");
	/* an id in the place of the number */
	SYSTEM("'from':'ID.1','system':{'type':'user_changed_number','wa_id':'ID.2'}",
		   "person user_changed_number at=1790000001 id=ID.2 was_id=ID.1 message=m\n");
	SYSTEM("'system':{'type':'user_changed_user_id','user_id':'ID.2','previous_user_id':'ID.1'}",
		   "person user_changed_user_id at=1790000001 id=ID.2 was_id=ID.1 message=m\n");
	SYSTEM("'system':{'type':'user_changed_user_id','user_id':'ID.2','body':'User from Here changed from ID.1 to ID.2'}",
		   "person user_changed_user_id at=1790000001 id=ID.2 was_id=ID.1 message=m words=User from Here changed from ID.1 to ID.2\n");
	SYSTEM("'system':{'type':'user_changed_user_id','user_id':'ID.2','body':'User changed from ID.1 to ID.3'}",
		   "person user_changed_user_id at=1790000001 id=ID.2 message=m words=User changed from ID.1 to ID.3\n");
	SYSTEM("'from':'6281111111111','system':{'type':'user_changed_user_id','user_id':'ID.2'}",
		   "person user_changed_user_id at=1790000001 id=ID.2 was=6281111111111 message=m\n");
	/* the oldest shapes */
	SYSTEM("'from':'6281111111111','system':{'type':'customer_changed_number','customer':'6281111111111','wa_id':'6282222222222'}",
		   "person customer_changed_number at=1790000001 number=6282222222222 was=6281111111111 message=m\n");
	SYSTEM("'system':{'type':'customer_changed_number','customer':'6281111111111','new_wa_id':'6282222222222'}",
		   "person customer_changed_number at=1790000001 number=6282222222222 was=6281111111111 message=m\n");
	SYSTEM("'from':'6281111111111','system':{'type':'customer_identity_changed','identity':'x'}",
		   "kept system/customer_identity_changed at=1790000001 message=m"
		   " excerpt={'id':'m','timestamp':'1790000001','type':'system','from':'6281111111111','system':{'type':'customer_identity_changed','identity':'x'}}\n");
	SYSTEM("'system':7",
		   "kept system at=1790000001 message=m excerpt={'id':'m','timestamp':'1790000001','type':'system','system':7}\n");

	/* a field that came and went */
	CHANGE("user_id_update", "{" META ",'contacts':[{'profile':{'name':'A'},'wa_id':'6282222222222'}],"
		   "'user_id_update':[{'wa_id':'6282222222222','detail':'changed','user_id':{'previous':'ID.1','current':'ID.2'},'timestamp':'1790000001'}]}",
		   "person user_id_update at=1790000001 number=6282222222222 id=ID.2 name=A was_id=ID.1 words=changed\n");
	CHANGE("user_id_update", "{'user_id_update':[{'user_id':'ID.2'}]}",
		   "unknown user_id_update excerpt={'user_id':'ID.2'}\n");
}

static void
test_inbound(void)
{
	MESSAGE("'type':'text','text':{'body':' Stop. '}", "inbound text" BUDI " text=Stop. keyword=same window\n");
	MESSAGE("'type':'text','text':{'body':'baris 1\\r\\nbaris 2\\tx'},'context':{'from':'62215550000','id':'wamid.O'}",
			"inbound text" BUDI " text=baris 1\nbaris 2\tx keyword=same window answers=wamid.O\n");
	MESSAGE("'type':'text','text':{'body':''}", "inbound text" BUDI " window\n");
	MESSAGE("'type':'text','text':{'body':123}", "inbound text" BUDI " text=123 keyword=same window\n");
	MESSAGE("'type':'text','text':{'body':['STOP']}", "inbound text" BUDI " window\n");
	MESSAGE("'type':'text','text':'STOP'", "inbound text" BUDI " text=STOP keyword=same window\n");
	MESSAGE("'text':{'body':'STOP'}", "inbound text" BUDI " text=STOP keyword=same window\n");
	MESSAGE("'type':'text'", "inbound text" BUDI " window\n");
	MESSAGE("'image':{'id':'1'}",
			"unknown -" BUDI " excerpt={'from':'6281234567890','id':'wamid.I','timestamp':'1790000001','image':{'id':'1'}}\n");

	/* a caption is text and no keyword; the address of the file is not kept */
	MESSAGE("'type':'image','image':{'id':'77','mime_type':'image/jpeg','sha256':'x','caption':'STOP','url':'https://lookaside.fbsbx.com/?k=s'}",
			"inbound image" BUDI " text=STOP window detail={'image':{'id':'77','mime_type':'image/jpeg','sha256':'x','caption':'STOP'}}\n");
	MESSAGE("'type':'audio','audio':{'id':'77','voice':true}", "inbound audio" BUDI " window detail={'audio':{'id':'77','voice':true}}\n");
	MESSAGE("'type':'video','video':{'caption':'a'}", "inbound video" BUDI " text=a window detail={'video':{'caption':'a'}}\n");
	MESSAGE("'type':'document','document':{'filename':'STOP','caption':'a'}",
			"inbound document" BUDI " text=a window detail={'document':{'filename':'STOP','caption':'a'}}\n");
	MESSAGE("'type':'sticker','sticker':{'animated':false}", "inbound sticker" BUDI " window detail={'sticker':{'animated':false}}\n");
	MESSAGE("'type':'location','location':{'latitude':-6.2088,'longitude':106.8456,'name':'STOP'}",
			"inbound location" BUDI " window detail={'location':{'latitude':-6.2088,'longitude':106.8456,'name':'STOP'}}\n");
	MESSAGE("'type':'order','order':{'text':'STOP'}", "inbound order" BUDI " text=STOP window detail={'order':{'text':'STOP'}}\n");

	/* cards */
	MESSAGES("'messages':[{'from_user_id':'ID.1','id':'m','type':'contacts','contacts':[{'origin':'contact_request','phones':[{'phone':'+62 812','wa_id':'6281234567890'}]}]}]",
			 "inbound contacts number=6281234567890 id=ID.1 message=m window proves"
			 " detail={'contacts':[{'origin':'contact_request','phones':[{'phone':'+62 812','wa_id':'6281234567890'}]}]}\n");
	MESSAGES("'messages':[{'from_user_id':'ID.1','id':'m','type':'contacts','contacts':[{'origin':'other','phones':[{'wa_id':'6281234567890'}]}]}]",
			 "inbound contacts id=ID.1 message=m window detail={'contacts':[{'origin':'other','phones':[{'wa_id':'6281234567890'}]}]}\n");
	MESSAGES("'messages':[{'from_user_id':'ID.1','id':'m','type':'contacts','contacts':[{'phones':[{'wa_id':'6281234567890'}]}]}]",
			 "inbound contacts id=ID.1 message=m window detail={'contacts':[{'phones':[{'wa_id':'6281234567890'}]}]}\n");
	MESSAGES("'messages':[{'from':'6281111111111','id':'m','type':'contacts','contacts':[{'origin':'contact_request','phones':[{'wa_id':'6281234567890'}]}]}]",
			 "inbound contacts number=6281111111111 message=m window"
			 " detail={'contacts':[{'origin':'contact_request','phones':[{'wa_id':'6281234567890'}]}]}\n");
	MESSAGES("'messages':[{'from':'6281234567890','id':'m','type':'contacts','contacts':[{'origin':'contact_request','phones':[{},{'wa_id':'6281234567890'}]}]}]",
			 "inbound contacts number=6281234567890 message=m window proves"
			 " detail={'contacts':[{'origin':'contact_request','phones':[{},{'wa_id':'6281234567890'}]}]}\n");

	/* buttons: what they say to programs, then what stands on them */
	MESSAGE("'type':'button','button':{'payload':'UNSUB','text':'Berhenti'},'context':{'id':'wamid.O'}",
			"inbound button" BUDI " text=Berhenti keyword=UNSUB window answers=wamid.O detail={'button':{'payload':'UNSUB','text':'Berhenti'}}\n");
	MESSAGE("'type':'button','button':{'payload':'','text':'STOP'}",
			"inbound button" BUDI " text=STOP keyword=same window detail={'button':{'payload':'','text':'STOP'}}\n");
	MESSAGE("'type':'button','button':{'payload':'STOP'}",
			"inbound button" BUDI " text=STOP keyword=same window detail={'button':{'payload':'STOP'}}\n");
	MESSAGE("'type':'interactive','interactive':{'type':'button_reply','button_reply':{'id':'STOP','title':'Jangan kirim'}}",
			"inbound interactive" BUDI " text=Jangan kirim keyword=STOP window"
			" detail={'interactive':{'type':'button_reply','button_reply':{'id':'STOP','title':'Jangan kirim'}}}\n");
	MESSAGE("'type':'interactive','interactive':{'type':'list_reply','list_reply':{'id':'','title':'STOP','description':'x'}}",
			"inbound interactive" BUDI " text=STOP keyword=same window"
			" detail={'interactive':{'type':'list_reply','list_reply':{'id':'','title':'STOP','description':'x'}}}\n");
	MESSAGE("'type':'interactive','interactive':{'button_reply':{'id':'A','title':'B'}}",
			"inbound interactive" BUDI " text=B keyword=A window detail={'interactive':{'button_reply':{'id':'A','title':'B'}}}\n");
	MESSAGE("'type':'interactive','interactive':{'type':'nfm_reply','nfm_reply':{'name':'flow','body':'STOP','response_json':'{}'}}",
			"inbound interactive" BUDI " text=STOP window"
			" detail={'interactive':{'type':'nfm_reply','nfm_reply':{'name':'flow','body':'STOP','response_json':'{}'}}}\n");
	MESSAGE("'type':'interactive','interactive':{'type':'call_permission_reply','call_permission_reply':{'response':'reject'}}",
			"inbound interactive" BUDI " window"
			" detail={'interactive':{'type':'call_permission_reply','call_permission_reply':{'response':'reject'}}}\n");
	MESSAGE("'type':'interactive','interactive':{'type':'new_reply','new_reply':{'id':'STOP'}}",
			"inbound interactive" BUDI " window detail={'interactive':{'type':'new_reply','new_reply':{'id':'STOP'}}}\n");

	/* reactions, and one that is taken back */
	MESSAGE("'type':'reaction','reaction':{'message_id':'wamid.O','emoji':'\\ud83d\\udc4d'}",
			"inbound reaction" BUDI " text=\xf0\x9f\x91\x8d window answers=wamid.O detail={'reaction':{'message_id':'wamid.O','emoji':'\xf0\x9f\x91\x8d'}}\n");
	MESSAGE("'type':'reaction','reaction':{'message_id':'wamid.O'}",
			"inbound reaction" BUDI " answers=wamid.O detail={'reaction':{'message_id':'wamid.O'}}\n");
	MESSAGE("'type':'reaction','reaction':{'message_id':'wamid.O','emoji':''}",
			"inbound reaction" BUDI " answers=wamid.O detail={'reaction':{'message_id':'wamid.O','emoji':''}}\n");

	/* edits and what is revoked */
	MESSAGE("'type':'edit','edit':{'original_message_id':'wamid.P','message':{'type':'text','text':{'body':'START'}}}",
			"inbound edit" BUDI " text=START keyword=same only_out"
			" detail={'edit':{'original_message_id':'wamid.P','message':{'type':'text','text':{'body':'START'}}}}\n");
	MESSAGE("'type':'edit','edit':{'original_message_id':'wamid.P','message':{'text':{'body':'STOP'}}}",
			"inbound edit" BUDI " text=STOP keyword=same only_out"
			" detail={'edit':{'original_message_id':'wamid.P','message':{'text':{'body':'STOP'}}}}\n");
	MESSAGE("'type':'edit','edit':{'original_message_id':'wamid.P','message':{'type':'image','image':{'caption':'STOP'}}}",
			"inbound edit" BUDI " text=STOP only_out"
			" detail={'edit':{'original_message_id':'wamid.P','message':{'type':'image','image':{'caption':'STOP'}}}}\n");
	MESSAGE("'type':'revoke','revoke':{'original_message_id':'wamid.P'}",
			"inbound revoke" BUDI " detail={'revoke':{'original_message_id':'wamid.P'}}\n");

	/* errors of theirs are none of ours */
	MESSAGE("'type':'unsupported','errors':[{'code':131051,'title':'Message type unknown'}],'unsupported':{'type':'poll_creation'}",
			"inbound unsupported" BUDI " window"
			" detail={'errors':[{'code':131051,'title':'Message type unknown'}],'unsupported':{'type':'poll_creation'}}\n");
	MESSAGE("'type':'hologram','hologram':{'text':'STOP','body':'STOP'}",
			"inbound hologram" BUDI " window detail={'hologram':{'text':'STOP','body':'STOP'}}\n");
	MESSAGE("'type':'request_welcome'", "inbound request_welcome" BUDI "\n");

	/* in a group: neither window nor consent */
	MESSAGE("'group_id':'Z3JvdXA','type':'text','text':{'body':'STOP'}",
			"inbound text" BUDI " text=STOP detail={'group_id':'Z3JvdXA'}\n");
	MESSAGE("'group_id':'Z3JvdXA','type':'button','button':{'payload':'STOP','text':'STOP'}",
			"inbound button" BUDI " text=STOP detail={'group_id':'Z3JvdXA','button':{'payload':'STOP','text':'STOP'}}\n");

	/* what a machine sums up is nobody's word */
	MESSAGES("'conversation_context':{'summary':{'text':'STOP'}},'messages':[{'from':'6281234567890','id':'m','type':'audio'}]",
			 "inbound audio number=6281234567890 message=m window\n");
	/* our own number does not write to itself */
	MESSAGES("'messages':[{'from':'62215550000','id':'m','type':'text','text':{'body':'STOP'}}]",
			 "kept text number=62215550000 message=m excerpt={'from':'62215550000','id':'m','type':'text','text':{'body':'STOP'}}\n");
}

static void
test_not_inbound(void)
{
	CHANGE("smb_message_echoes", "{" META ",'message_echoes':[{'from':'62215550000','to':'6281234567890','id':'e','timestamp':'1790000001','type':'text','text':{'body':'STOP'}},{'id':'f','type':'revoke'}]}",
		   "kept smb_message_echoes at=1790000001 message=e excerpt={'from':'62215550000','to':'6281234567890','id':'e','timestamp':'1790000001','type':'text','text':{'body':'STOP'}}\n"
		   "kept smb_message_echoes message=f excerpt={'id':'f','type':'revoke'}\n");
	CHANGE("history", "{" META ",'history':[{'threads':[{'id':'6281234567890','messages':[{'text':{'body':'STOP'}}]}]}]}",
		   "kept history excerpt={" META ",'history':[{'threads':[{'id':'6281234567890','messages':[{'text':{'body':'STOP'}}]}]}]}\n");
	CHANGE("smb_app_state_sync", "{'state_sync':[{'action':'remove'}]}",
		   "kept smb_app_state_sync excerpt={'state_sync':[{'action':'remove'}]}\n");
	CHANGE("messaging_handovers", "{'type':'control_passed','recipient':{'phone_number_id':'1066'},'sender':{'phone_number':'6281234567890'},'timestamp':1790000001}",
		   "kept messaging_handovers sender=1066 at=1790000001 excerpt={'type':'control_passed','recipient':{'phone_number_id':'1066'},'sender':{'phone_number':'6281234567890'},'timestamp':1790000001}\n");
	MESSAGES("'contacts':[{'wa_id':'6281234567890'}],'user_actions':[{'action_type':'marketing_messages_link_click'}]",
			 "kept user_actions excerpt={'action_type':'marketing_messages_link_click'}\n");

	/* standby: people's messages count, statuses by their id only */
	CHANGE("standby", "{" META ",'standby':{'contacts':[{'wa_id':'6281234567890','profile':{'name':'Budi'}}],"
		   "'messages':[{'from':'6281234567890','id':'m','timestamp':'1790000001','type':'text','text':{'body':'STOP'}}]}}",
		   "inbound text at=1790000001 number=6281234567890 name=Budi message=m text=STOP keyword=same window\n");
	CHANGE("standby", "{" META ",'standby':{'statuses':[{'id':'s','status':'delivered','recipient_id':'6281234567890','biz_opaque_callback_data':'swa:1:42'},"
		   "{'status':'read','biz_opaque_callback_data':'swa:1:42'}],"
		   "'message_echoes':[{'id':'e','timestamp':'1790000001','message':{'to':'6281234567890','type':'text','text':{'body':'STOP'}}}]}}",
		   "status delivered number=6281234567890 message=s progress=delivered\n"
		   "unknown read excerpt={'status':'read','biz_opaque_callback_data':'swa:1:42'}\n"
		   "kept standby/message_echoes at=1790000001 message=e excerpt={'id':'e','timestamp':'1790000001','message':{'to':'6281234567890','type':'text','text':{'body':'STOP'}}}\n");
	CHANGE("standby", "{'standby':{'metadata':{'phone_number_id':'1066'},'messages':[{'from':'6281234567890','id':'m','type':'audio'}]}}",
		   "inbound audio sender=1066 number=6281234567890 message=m window\n");

	/* calls open the window, whoever began them */
	CHANGE("calls", "{" META ",'calls':[{'id':'c','from':'6281234567890','to':'62215550000','event':'connect','direction':'USER_INITIATED','timestamp':'1790000001'},"
		   "{'id':'c','from':'6281234567890','event':'terminate','direction':'USER_INITIATED'},"
		   "{'id':'d','from':'62215550000','to':'6281234567890','event':'connect','direction':'BUSINESS_INITIATED'}]}",
		   "inbound call at=1790000001 number=6281234567890 message=c window detail={'direction':'USER_INITIATED'}\n"
		   "kept calls message=c excerpt={'id':'c','from':'6281234567890','event':'terminate','direction':'USER_INITIATED'}\n"
		   "kept calls message=d excerpt={'id':'d','from':'62215550000','to':'6281234567890','event':'connect','direction':'BUSINESS_INITIATED'}\n");
	CHANGE("calls", "{" META ",'statuses':[{'id':'c','status':'ACCEPTED','recipient_id':'6281234567890','type':'call','timestamp':'1790000001'},"
		   "{'id':'c','status':'RINGING','recipient_id':'6281234567890','type':'call'}]}",
		   "inbound call at=1790000001 number=6281234567890 message=c window detail={'status':'ACCEPTED'}\n"
		   "kept calls message=c excerpt={'id':'c','status':'RINGING','recipient_id':'6281234567890','type':'call'}\n");
}

static void
test_preferences(void)
{
#define WISH(members, want) CHANGE("user_preferences", "{" META ",'contacts':[{'wa_id':'6281234567890'}],'user_preferences':[{" members "}]}", want)
	WISH("'wa_id':'6281234567890','user_id':'ID.1','parent_user_id':'ID.ENT.1','category':'marketing_messages','value':'stop','detail':'User requested','timestamp':1790000001",
		 "preference stop at=1790000001 number=6281234567890 id=ID.1 parent=ID.ENT.1 words=User requested\n");
	WISH("'user_id':'ID.1','category':'marketing_messages','value':'resume','timestamp':1790000001",
		 "preference resume at=1790000001 number=6281234567890 id=ID.1 wants\n");
	WISH("'wa_id':'6281234567890','category':'marketing_messages','value':'signup','signup_id':'77','timestamp':'1790000001'",
		 "preference signup at=1790000001 number=6281234567890 wants detail={'signup_id':'77'}\n");
	WISH("'wa_id':'6281234567890','category':'marketing_messages','value':'maybe'",
		 "kept user_preferences/maybe number=6281234567890 excerpt={'wa_id':'6281234567890','category':'marketing_messages','value':'maybe'}\n");
	WISH("'wa_id':'6281234567890','category':'calls','value':'stop'",
		 "kept user_preferences/stop number=6281234567890 excerpt={'wa_id':'6281234567890','category':'calls','value':'stop'}\n");
	CHANGE("user_preferences", "{" META ",'user_preferences':[{'wa_id':'6281111111111','value':'stop'},7,{'wa_id':'6282222222222','value':'resume'}]}",
		   "preference stop number=6281111111111\n"
		   "unknown user_preferences excerpt=7\n"
		   "preference resume number=6282222222222 wants\n");
}

static void
test_templates(void)
{
	static const char *const events[] = {
		"APPROVED", "REINSTATED", "PENDING", "REJECTED", "PAUSED", "DISABLED", "IN_APPEAL", "LOCKED",
		"LIMIT_EXCEEDED", "ARCHIVED", "UNARCHIVED", "PENDING_DELETION", "DELETED", "FLAGGED", "WHATEVER"
	};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
	{
		char		value[300];
		char		want[600];

		snprintf(value, sizeof(value), "{'event':'%s','message_template_id':12345,'message_template_name':'izin_selesai',"
				 "'message_template_language':'en-US','reason':null,'other_info':{'title':'UNPAUSE'}}", events[i]);
		snprintf(want, sizeof(want), "template message_template_status_update/%s at=1790000000 template=izin_selesai language=en_US detail=%s\n",
				 events[i], value);
		CHANGE("message_template_status_update", value, want);
	}
	CHANGE("template_category_update", "{'message_template_name':'a','message_template_language':'id','correct_category':'MARKETING','new_category':'UTILITY'}",
		   "template template_category_update at=1790000000 template=a language=id"
		   " detail={'message_template_name':'a','message_template_language':'id','correct_category':'MARKETING','new_category':'UTILITY'}\n");
	CHANGE("template_correct_category_detection", "{'message_template_name':'a','category':'UTILITY','correct_category':'MARKETING'}",
		   "template template_correct_category_detection at=1790000000 template=a"
		   " detail={'message_template_name':'a','category':'UTILITY','correct_category':'MARKETING'}\n");
	CHANGE("message_template_quality_update", "{'message_template_name':'a','previous_quality_score':'GREEN','new_quality_score':'RED'}",
		   "template message_template_quality_update/RED at=1790000000 template=a"
		   " detail={'message_template_name':'a','previous_quality_score':'GREEN','new_quality_score':'RED'}\n");
	CHANGE("message_template_components_update", "{'message_template_name':'a','message_template_element':'x {{1}}'}",
		   "template message_template_components_update at=1790000000 template=a"
		   " detail={'message_template_name':'a','message_template_element':'x {{1}}'}\n");
	CHANGE("message_template_status_update", "{'event':'PAUSED'}",
		   "unknown message_template_status_update/PAUSED at=1790000000 detail={'event':'PAUSED'} excerpt={'event':'PAUSED'}\n");
}

static void
test_account(void)
{
	static const struct
	{
		const char *field;
		const char *value;
		const char *told;		/* event, and what differs */
	}			cases[] = {
		{"account_update", "{'event':'ACCOUNT_RESTRICTION','restriction_info':[{'restriction_type':'RESTRICTED_BIZ_INITIATED_MESSAGING','expiration':1790086400},{'restriction_type':'RATE_LIMITED_UTILITY_TEMPLATE_MESSAGING','expiration':'1790086400'}]}",
		"account_update/ACCOUNT_RESTRICTION"},
		{"account_update", "{'event':'ACCOUNT_RESTRICTION','violation_info':{'violation_type':'X_RECOVERY'}}", "account_update/ACCOUNT_RESTRICTION"},
		{"account_update", "{'event':'ACCOUNT_VIOLATION','violation_info':{'violation_type':'UTILITY_TEMPLATE_ABUSE'}}", "account_update/ACCOUNT_VIOLATION"},
		{"account_update", "{'event':'DISABLED_UPDATE','ban_info':{'waba_ban_state':['DISABLE'],'waba_ban_date':'June 1, 2026'},'phone_number':'62215550000'}", "account_update/DISABLED_UPDATE"},
		{"account_update", "{'event':'ACCOUNT_OFFBOARDED'}", "account_update/ACCOUNT_OFFBOARDED"},
		{"account_update", "{'event':'ACCOUNT_RECONNECTED'}", "account_update/ACCOUNT_RECONNECTED"},
		{"account_update", "{'phone_number':'62215550000'}", "account_update"},
		{"phone_number_quality_update", "{'display_phone_number':'62215550000','event':'UPGRADE','max_daily_conversations_per_business':'TIER_2K'}", "phone_number_quality_update/UPGRADE"},
		{"phone_number_name_update", "{'decision':'APPROVED'}", "phone_number_name_update/APPROVED"},
		{"account_review_update", "{'decision':'REJECTED'}", "account_review_update/REJECTED"},
		{"account_alerts", "{'entity_type':'PHONE_NUMBER','alert_severity':'WARNING','alert_type':'INCREASED_CAPABILITIES'}", "account_alerts/INCREASED_CAPABILITIES"},
		{"security", "{'event':'PIN_CHANGED','requester':'1'}", "security/PIN_CHANGED"},
		{"business_capability_update", "{'max_daily_conversation_per_phone':250}", "business_capability_update"},
		{"business_username_updates", "{'username':'x'}", "business_username_updates"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char		want[1000];

		snprintf(want, sizeof(want), "account %s at=1790000000 detail=%s\n", cases[i].told, cases[i].value);
		CHANGE(cases[i].field, cases[i].value, want);
	}
	/* the entry is the portfolio */
	CHANGE("account_update", "{'event':'PARTNER_REMOVED','waba_info':{'waba_id':'105'},'disconnection_info':{'reason':'PRIMARY_INACTIVITY'}}",
		   "account account_update/PARTNER_REMOVED account=105 at=1790000000"
		   " detail={'event':'PARTNER_REMOVED','waba_info':{'waba_id':'105'},'disconnection_info':{'reason':'PRIMARY_INACTIVITY'}}\n");
	CHANGE("account_update", "{'event':'AD_ACCOUNT_LINKED','waba_info':{'waba_id':105}}",
		   "account account_update/AD_ACCOUNT_LINKED account=105 at=1790000000 detail={'event':'AD_ACCOUNT_LINKED','waba_info':{'waba_id':105}}\n");

	MESSAGES("'errors':[{'code':130429,'title':'Rate limit hit','error_data':{'details':'too fast'}},{'code':'131031'},null,{}]",
			 "account errors at=1790000000 code=130429 words=too fast detail={'code':130429,'title':'Rate limit hit','error_data':{'details':'too fast'}}\n"
			 "account errors at=1790000000 code=131031 detail={'code':'131031'}\n"
			 "unknown errors at=1790000000 excerpt=null\n"
			 "unknown errors at=1790000000 detail={} excerpt={}\n");
}

/* What is odd in one update never costs another. */
static void
test_odd(void)
{
	char		deep[2000];
	char		body[5000];
	char		want[4000];

#define ODD(oddity, want) \
	MESSAGES("'messages':[{'from':'6281111111111','id':'a','type':'text','text':{'body':" oddity "}}," \
			 "{'from':'6282222222222','id':'b','type':'audio'}]", \
			 "inbound text number=6281111111111 message=a" want " window\n" \
			 "inbound audio number=6282222222222 message=b window\n")
	ODD("'STOP\\u0000'", " text=STOP keyword=same");
	ODD("'a\\u0000b'", " text=a b keyword=same");
	ODD("'\\u0000'", "");
	ODD("'a\\u001bb\\u0085c\\u007f'", " text=a b c keyword=same");
	ODD("'a\xff\xc3z'", " text=a\?\?z keyword=same");
	ODD("'\xed\xa0\x80'", " text=\?\?\? keyword=same");
	ODD("'a\\ud800z'", " text=a\xef\xbf\xbdz keyword=same");
	ODD("'a\\qb\\u12'", " text=a qb u12 keyword=same");
	ODD("'a\nb\tc\x01'", " text=a\nb\tc keyword=same");
	ODD("'ST\\u200bOP'", " text=ST\xe2\x80\x8bOP keyword=same");
	ODD("99999999999999999999999", " text=99999999999999999999999 keyword=same");
	ODD("1e999", " text=1e999 keyword=same");
	ODD("-0012", " text=-0012 keyword=same");
	ODD("NaN", " text=NaN keyword=same");
	ODD("true", " text=true keyword=same");
	ODD("null", "");
	ODD("[]", "");
	ODD("{}", "");

	/* nested much deeper than json-c would go */
	memset(deep, '[', 500);
	memset(deep + 500, ']', 500);
	deep[1000] = '\0';
	snprintf(body, sizeof(body), "'messages':[{'from':'6281111111111','id':'a','type':'text','text':{'body':'x'},'odd':%s},"
			 "{'from':'6282222222222','id':'b','type':'odd','odd':{'a':%s}}]", deep, deep);
	deep[24] = '\0';
	snprintf(want, sizeof(want), "inbound text number=6281111111111 message=a text=x keyword=same window\n"
			 "inbound odd number=6282222222222 message=b window detail={'odd':{'a':%.*snull%.*s}}\n", 23, deep, 23,
			 "]]]]]]]]]]]]]]]]]]]]]]]");
	MESSAGES(body, want);

	/* an id that cannot be kept is none */
	MESSAGES("'statuses':[{'id':'a b','status':'read','biz_opaque_callback_data':'swa:1:1'},{'id':'\\u0000x','status':'read'},"
			 "{'id':12345678901234567890,'status':'read'}]",
			 "status read callback=swa:1:1 progress=read\n"
			 "unknown read excerpt={'id':' x','status':'read'}\n"
			 "status read message=12345678901234567890 progress=read\n");
}

static void
test_unreadable(void)
{
	static const char *const bodies[] = {
		"", " ", "null", "7", "'x'", "[]", "{", "{\"object\":", "{\"a\":1}}", "{\"a\":1}{\"b\":2}", "{\"a\" 1}",
		"{\"a\":\"", "{\"a\":[}", "<html>502</html>", "a=1&b=2", "{'a':1}", "/* */{}"
	};
	char	   *body;
	char		cut[] = "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"102\",\"changes\":[{\"field\":\"messages\",\"value\":{\"statuses\":[{\"id\":\"a\",\"status\":\"read\"}]}}]}]}";
	size_t		i;

	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
	{
		char		want[200];
		const char *shown = bodies[i][strspn(bodies[i], " ")] == '\0' ? "" : bodies[i];

		CHECK(read_bytes(bodies[i], strlen(bodies[i])));
		snprintf(want, sizeof(want), "unknown -%s%s\n", *shown ? " excerpt=" : "", shown);
		CHECK_STR(lines, want);
	}

	/* cut at each place */
	for (i = 1; i < sizeof(cut) - 1; i++)
	{
		CHECK(read_bytes(cut, i));
		if (updates != 1 || strncmp(lines, "unknown - excerpt={", 19) != 0)
			CHECK_STR(lines, "unknown - excerpt={...");
	}
	CHECK(read_bytes(cut, sizeof(cut) - 1));
	CHECK_STR(lines, "status read message=a progress=read\n");

	/* a mark in front, blanks and NULs around */
	CHECK(read_bytes("\xef\xbb\xbf {\"a\":1}\n\0", 12));
	CHECK_STR(lines, "unknown - excerpt={\"a\":1}\n");

	/* an excerpt has an end, at a character */
	body = malloc(9001);
	memset(body, 0xc3, 9000);
	for (i = 1; i < 9000; i += 2)
		body[i] = (char) 0xa9;
	body[0] = '{';
	CHECK(read_bytes(body, 9000));
	CHECK(lines_size < WA_UPDATE_EXCERPT_BYTES + 40);
	free(body);
}

/* Repeat a text; malloc()ed. */
static char *
repeated(const char *before, const char *text, size_t times, const char *after)
{
	size_t		len = strlen(text);
	char	   *all = malloc(strlen(before) + times * len + strlen(after) + 1);
	char	   *p = stpcpy(all, before);

	for (size_t i = 0; i < times; i++)
		p = stpcpy(p, text);
	strcpy(p, after);
	return all;
}

/* Bodies of the greatest size, and what costs the most in one. */
static void
test_size(void)
{
	static const struct
	{
		const char *before;
		const char *text;
		size_t		times;
		const char *after;
		long		updates;
	}			cases[] = {
		{"{\"entry\":[{\"changes\":[{\"field\":\"messages\",\"value\":{\"statuses\":[{\"id\":\"x\",\"status\":\"read\"}",
		",{\"id\":\"wamid.X\",\"status\":\"read\",\"recipient_id\":\"6281234567890\",\"timestamp\":\"1790000001\",\"pricing\":{\"type\":\"regular\"}}", 20000, "]}}]}]}", 20001},
		{"{\"entry\":[{\"changes\":[{\"field\":\"messages\",\"value\":{\"contacts\":[{}", ",{\"wa_id\":\"6281234567890\",\"user_id\":\"ID.1\"}", 30000,
		"],\"messages\":[{\"id\":\"a\",\"type\":\"audio\",\"from_user_id\":\"ID.1\"}]}}]}]}", 1},
		{"{\"entry\":[{\"changes\":[{\"field\":\"messages\",\"value\":{\"messages\":[{\"id\":\"a\",\"type\":\"text\",\"text\":{\"body\":\"", "\\u0000", 500000, "x\"}}]}}]}]}", 1},
		{"", "[", 3000000, "", 1},
		{"", "{\"a\":", 600000, "", 1},
		{"{\"a\":[", "{},", 1000000, "{}]}", 1},
		{"{\"a\":[", "1,", 1500000, "1]}", 1},
		{"", "\\", 3000000, "", 1},
		{"\"", "\\\"", 1500000, "", 1},
		{"{\"entry\":[{\"changes\":[{\"field\":\"messages\",\"value\":{\"errors\":[1", ",1", 400000, "]}}]}]}", 400001},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char	   *body = repeated(cases[i].before, cases[i].text, cases[i].times, cases[i].after);
		clock_t		began = clock();

		CHECK(read_bytes(body, strlen(body)));
		CHECK_INT(updates, cases[i].updates);
		/* a hundredth of this is usual: a cost that is not linear shows */
		CHECK(clock() - began < 20 * CLOCKS_PER_SEC);
		free(body);
	}
}

static void
test_failures(void)
{
	const WaGateway *meta = wa_gateway_find("meta");
	const WaMetaCode *row;
	WaVerdict	verdict;
	WaVerdict	answer;

	/* each code as in an answer */
	for (size_t i = 0; (row = wa_gateway_meta_code_at(i)) != NULL; i++)
	{
		char		code[32];
		char		body[100];
		WaReply		reply = {.http_status = 400,.retry_after_s = -1,.body = body};

		/* a generic failure is no fault of a request that was taken */
		if (row->last == 135000)
			continue;
		snprintf(code, sizeof(code), "%ld", row->last);
		snprintf(body, sizeof(body), "{\"error\":{\"code\":%s,\"message\":\"why\"}}", code);
		reply.body_len = strlen(body);
		meta->judge(&reply, &answer);
		memset(&verdict, 0xff, sizeof(verdict));
		meta->judge_failure(code, "why", &verdict);
		CHECK_INT(verdict.outcome, row->outcome);
		CHECK_INT(verdict.outcome, answer.outcome);
		CHECK_INT(verdict.scope, answer.scope);
		CHECK_INT(verdict.fallback, answer.fallback);
		CHECK_INT(verdict.opt_out, answer.opt_out);
		CHECK_INT(verdict.max_retries, answer.max_retries);
		CHECK_INT(verdict.wait_s, answer.wait_s);
		CHECK_INT(verdict.backoff_s, answer.backoff_s);
		CHECK_STR(verdict.code, code);
		CHECK_STR(verdict.unlisted, "");
		CHECK_STR(english(&verdict.said), english(&answer.said));
	}

	meta->judge_failure("135000", NULL, &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_TEMPLATE);
	CHECK_INT(verdict.scope, WA_SCOPE_PROVIDER);
	CHECK_INT(verdict.fallback, WA_FALLBACK_YES);
	CHECK_STR(verdict.code, "135000");

	/* what is in no table, and what has no code: refused, nobody's fault */
	memset(&verdict, 0xff, sizeof(verdict));
	meta->judge_failure("999999", NULL, &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_CALLER);
	CHECK_INT(verdict.fallback, WA_FALLBACK_YES);
	CHECK_STR(verdict.code, "999999");
	CHECK_STR(verdict.unlisted, "999999");
	CHECK_STR(english(&verdict.said), "Meta refused the request with an unknown error (Meta's error 999999).");
	meta->judge_failure("odd\x01", "why 17", &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_CALLER);
	CHECK_STR(verdict.code, "odd");
	meta->judge_failure(NULL, "no. 17 failed", &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_CALLER);
	CHECK_STR(verdict.code, "");
	CHECK_STR(verdict.unlisted, "no. # failed");
	CHECK_STR(english(&verdict.said), "Meta took the message, then reported that it failed, without a code: no. 17 failed.");
	meta->judge_failure(NULL, NULL, &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_CALLER);
	CHECK_STR(verdict.unlisted, "failed");
	CHECK_STR(english(&verdict.said), "Meta took the message, then reported that it failed, without a code.");
}

int
main(void)
{
	CHECK_RUN(test_envelope);
	CHECK_RUN(test_statuses);
	CHECK_RUN(test_persons);
	CHECK_RUN(test_system);
	CHECK_RUN(test_inbound);
	CHECK_RUN(test_not_inbound);
	CHECK_RUN(test_preferences);
	CHECK_RUN(test_templates);
	CHECK_RUN(test_account);
	CHECK_RUN(test_odd);
	CHECK_RUN(test_unreadable);
	CHECK_RUN(test_size);
	CHECK_RUN(test_failures);
	free(lines);
	return check_finish("feedback");
}
