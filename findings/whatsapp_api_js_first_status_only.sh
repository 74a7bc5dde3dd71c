#!/bin/sh
#
# whatsapp-api-js 6.3.0 (npm, client of Meta's Cloud API): its webhook handler
# post() tells the first update of a request and drops the others, without an
# error; the endpoint answers 200, so Meta does not send them again.
#
# Meta documents that a webhook is batched under load: "entry", "changes",
# "messages" and "statuses" are lists
# (developers.facebook.com/docs/graph-api/webhooks/getting-started: up to 1000
# updates in one request).  Who takes delivery reports through this handler
# therefore loses some of them just when there are many: a message stays
# "sent" that was delivered, read, or has failed.
#
# Seen with node 20: of five signed statuses in one request (three in a
# change, one in a second change, one in a second entry) one is told.
# Fails if that changes.  Needs node 20 or newer, npm, and the npm registry.
#
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$dir" whatsapp-api-js@6.3.0 >/dev/null

cat > told.mjs <<'JS'
import { createHmac } from 'node:crypto';
import { WhatsAppAPI } from 'whatsapp-api-js';

const told = [];
const client = new WhatsAppAPI({ token: 'token', appSecret: 'secret', v: 'v23.0' });
client.on.status = ({ id, status }) => { told.push(`${id} ${status}`); };

const status = (id, word) => ({ id, status: word, timestamp: '1795780000', recipient_id: '628120000000' });
const change = (...statuses) => ({
	field: 'messages',
	value: {
		messaging_product: 'whatsapp',
		metadata: { display_phone_number: '622100000000', phone_number_id: '100000000000001' },
		statuses
	}
});
const body = JSON.stringify({
	object: 'whatsapp_business_account',
	entry: [
		{ id: '1', changes: [
			change(status('wamid.A', 'delivered'), status('wamid.B', 'read'), status('wamid.C', 'failed')),
			change(status('wamid.D', 'delivered')) ] },
		{ id: '2', changes: [ change(status('wamid.E', 'delivered')) ] } ]
});
const signature = 'sha256=' + createHmac('sha256', 'secret').update(body).digest('hex');

await client.post(JSON.parse(body), body, signature);
console.log(`told ${told.length} of 5: ${told.join(', ')}`);
JS

echo "whatsapp-api-js $(node -p 'require("./node_modules/whatsapp-api-js/package.json").version'), node $(node --version)"
answer=$(node told.mjs)
echo "$answer"
[ "$answer" = 'told 1 of 5: wamid.A delivered' ]
