#!/bin/bash
#
# whatsapp-business 1.7.2 (npm, client of Meta's Cloud API): where one request tells the
# messages of several citizens, its webhook hands the first citizen's contact over with
# each of them.  The example in its own documentation answers to contact.wa_id: so the
# answer to the second citizen's question goes to the first.
#
# One would expect the contact whose wa_id is that of the sender.  Meta documents up to 1000
# updates in one request under load (developers.facebook.com/docs/graph-api/webhooks/
# getting-started), and "messages" and "contacts" are lists beside each other, where the
# contact is found by wa_id.  The library does go through all messages, on purpose (a
# comment in webhooks/helpers.js says so), but with contacts[0] for each.
#
# Nothing is to be seen in a test, with one message at a time.  On the day when many write,
# or when Meta delivers what it had kept back while the office's server was down, a citizen
# is told of the permit of a stranger, who is told nothing, and a STOP is stored for the
# number of somebody else.
#
# message.from is right in each case: answer to that, and do without contact.
#
# Seen with the library's own server and handlers, on 127.0.0.1: two citizens in one
# change, then in two changes of one request.  Fails if that changes.  Needs node 20 or
# newer, npm, and the npm registry.
#
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$dir" whatsapp-business@1.7.2 express@4.21.2 >/dev/null

cat > told.js <<'JS'
const express = require('express');
const { WebhookClient } = require('whatsapp-business');

const names = { 628120000001: 'Siti', 628120000002: 'Budi' };
const change = (...messages) => ({
	field: 'messages',
	value: {
		messaging_product: 'whatsapp',
		metadata: { display_phone_number: '622100000000', phone_number_id: '100000000000001' },
		contacts: messages.map(({ from }) => ({ profile: { name: names[from] }, wa_id: from })),
		messages
	}
});
const text = (from, body) => ({ from, id: `wamid.${from}`, timestamp: '1795780000', type: 'text', text: { body } });
const request = (...changes) => ({ object: 'whatsapp_business_account', entry: [{ id: '1', changes }] });

const app = express();
app.use(express.json());
let say;
const events = {
	onTextMessageReceived: (message, contact) =>
		say(`"${message.text.body}" of ${names[message.from]}: answer to ${contact.profile.name}, ${contact.wa_id}`),
	onMessageReceived: (message, contact) =>
		say(`any message of ${names[message.from]}: contact ${contact.profile.name}`)
};
new WebhookClient({ token: 'x', path: '/webhook', expressApp: { app, shouldStartListening: false } }).initWebhook(events);

const server = app.listen(0, '127.0.0.1', async () => {
	const siti = text('628120000001', 'is 503/0001 ready?');
	const budi = text('628120000002', 'STOP');
	for (const [what, body] of [['one change', request(change(siti, budi))],
	                            ['two changes', request(change(siti), change(budi))]]) {
		say = (line) => console.log(`${what}: ${line}`);
		const answer = await fetch(`http://127.0.0.1:${server.address().port}/webhook`, {
			method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body)
		});
		say(`HTTP ${answer.status}`);
	}
	server.close();
	server.closeAllConnections();
});
JS

echo "whatsapp-business $(node -p 'require("./node_modules/whatsapp-business/package.json").version'), node $(node --version)"
answer=$(node told.js)
echo "$answer"
[ "$answer" = 'one change: any message of Siti: contact Siti
one change: "is 503/0001 ready?" of Siti: answer to Siti, 628120000001
one change: any message of Budi: contact Siti
one change: "STOP" of Budi: answer to Siti, 628120000001
one change: HTTP 200
two changes: any message of Siti: contact Siti
two changes: "is 503/0001 ready?" of Siti: answer to Siti, 628120000001
two changes: any message of Budi: contact Budi
two changes: "STOP" of Budi: answer to Budi, 628120000002
two changes: HTTP 200' ]
