#!/bin/bash
#
# whatsapp-cloud-api 0.3.1 (npm, bot for Meta's Cloud API): who answers a template with one
# of its buttons is not heard.  The webhook answers 200, and no listener is called.
#
# One would expect the message: its documentation puts bot.on('message') under "Listen to ALL
# incoming messages", and the library sends templates (sendTemplate) with whatever buttons
# they have.  But Meta tells of a quick reply of a template as type "button", and of
# the button of a message without template as type "interactive" (developers.facebook.com/
# docs/whatsapp/cloud-api/webhooks/components).  The library knows the second alone; what
# has another type is left aside without an error, and for the 200 Meta does not tell
# it again.
#
# An office that writes first may use nothing but templates, and Meta proposes a button for
# those who want no more messages.  The citizen presses "Berhenti" and is written to
# again; "Ya, saya datang" counts as no answer.  Who tests with sendReplyButtons(), which
# looks the same on the phone, sees it work.
#
# Take type "button" in a middleware of your own (useMiddleware), before the library.
#
# Seen with the library's own handler, on 127.0.0.1: the same word typed, as the button of a
# message and as that of a template.  Fails if that changes.  Needs node 20 or newer, npm,
# and the npm registry.
#
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$dir" \
	whatsapp-cloud-api@0.3.1 express@4.21.2 >/dev/null

cat > heard.js <<'JS'
const express = require('express');
const { createBot } = require('whatsapp-cloud-api');

const number = '100000000000001';
const citizen = '628120000001';
const context = { from: '622100000000', id: 'wamid.sent' };
const said = {
	'typed': { type: 'text', text: { body: 'Berhenti' } },
	'button of a message': { context, type: 'interactive',
		interactive: { type: 'button_reply', button_reply: { id: 'stop', title: 'Berhenti' } } },
	'button of a template': { context, type: 'button', button: { payload: 'stop', text: 'Berhenti' } }
};
const request = (message) => ({
	object: 'whatsapp_business_account',
	entry: [{ id: '1', changes: [{ field: 'messages', value: {
		messaging_product: 'whatsapp',
		metadata: { display_phone_number: '622100000000', phone_number_id: number },
		contacts: [{ profile: { name: 'Siti' }, wa_id: citizen }],
		messages: [{ from: citizen, id: `wamid.${message.type}`, timestamp: '1795780000', ...message }]
	} }] }]
});

const app = express();
const bot = createBot(number, 'x');
let heard;
bot.on('message', ({ type, data }) => { heard.push(`${type} "${data.text ?? data.title}"`); });

bot.startExpressServer({ app }).then(() => {
	const server = app.listen(0, '127.0.0.1', async () => {
		for (const [what, message] of Object.entries(said)) {
			heard = [];
			const answer = await fetch(`http://127.0.0.1:${server.address().port}/webhook/whatsapp`, {
				method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(request(message))
			});
			await new Promise((resolve) => setTimeout(resolve, 500));
			console.log(`${what}: HTTP ${answer.status}, heard ${heard.join(', ') || 'nothing'}`);
		}
		server.close();
		server.closeAllConnections();
	});
});
JS

version=$(node -p 'require("./node_modules/whatsapp-cloud-api/package.json").version')
echo "whatsapp-cloud-api $version, node $(node --version)"
answer=$(node heard.js)
echo "$answer"
[ "$answer" = 'typed: HTTP 200, heard text "Berhenti"
button of a message: HTTP 200, heard button_reply "Berhenti"
button of a template: HTTP 200, heard nothing' ]
