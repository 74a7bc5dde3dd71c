#!/bin/sh
#
# @builderbot/provider-meta 1.2.2 (npm, framework for bots, provider for Meta's
# Cloud API): its webhook answers the report of a failed message with HTTP 400.
#
# One would expect 200 for whatever was received, since to Meta everything else
# means "not received": it sends the request again, at growing distances, for up
# to seven days, and may end a subscription that goes on failing
# (developers.facebook.com/docs/graph-api/webhooks/getting-started).  Here each
# of these repeats is refused as well, so one number that is not on WhatsApp
# (131026) makes the bot report the same failure for days.  What stands in the
# same request, as Meta batches them under load, is never read: a citizen's STOP
# that came along is lost for good.
#
# And two messages of one request get the same message_id, that of the first: who
# sorts out Meta's repeats by it, as one must, drops the second.
#
# Seen with the provider's own server and handler, on 127.0.0.1.  Fails if that
# changes.  Needs node 20 or newer, npm, and the npm registry.
#
set -eu

port=$((20000 + $$ % 20000))
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$dir" \
	@builderbot/provider-meta@1.2.2 @builderbot/bot@1.2.2 >/dev/null

cat > webhook.js <<'JS'
const { MetaProvider } = require('@builderbot/provider-meta');

const port = Number(process.argv[2]);
const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
let told = [];

const change = (value) => ({
	field: 'messages',
	value: {
		messaging_product: 'whatsapp',
		metadata: { display_phone_number: '622100000000', phone_number_id: '100000000000001' },
		...value
	}
});
const status = (word, more) => change({
	statuses: [{ id: 'wamid.OURS', status: word, timestamp: '1795780000', recipient_id: '628120000000', ...more }]
});
const text = (id, body) => ({ from: '628120000001', id, timestamp: '1795780000', type: 'text', text: { body } });
const messages = (...list) => change({
	contacts: [{ profile: { name: 'Budi' }, wa_id: '628120000001' }],
	messages: list
});
const failed = status('failed', {
	errors: [{ code: 131026, title: 'Message undeliverable', message: 'Message undeliverable',
		error_data: { details: 'Message Undeliverable.' } }]
});

async function post(name, ...changes) {
	told = [];
	const answer = await fetch(`http://127.0.0.1:${port}/webhook`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify({ object: 'whatsapp_business_account', entry: [{ id: '1', changes }] })
	});
	await wait(3000);
	console.log([name, answer.status, ...told].join(', '));
}

(async () => {
	const provider = new MetaProvider({ jwtToken: 'token', numberId: '100000000000001', verifyToken: 'v', version: 'v23.0' });
	await provider.initVendor();
	provider.vendor.on('message', (message) => { told.push(`message ${message.message_id} "${message.body}"`); });
	provider.vendor.on('notice', () => { told.push('alert'); });
	provider.server.listen(port, '127.0.0.1');
	await wait(500);

	await post('delivered', status('delivered'));
	await post('failed', failed);
	await post('failed again', failed);
	await post('two messages', messages(text('wamid.1', 'STOP'), text('wamid.2', 'STOP please')));
	await post('a message and failed', messages(text('wamid.3', 'STOP')), failed);
	process.exit(0);
})();
JS

version() { node -p "require('./node_modules/@builderbot/$1/package.json').version"; }
echo "@builderbot/provider-meta $(version provider-meta), @builderbot/bot $(version bot), node $(node --version)"
answer=$(timeout 60 node webhook.js $port)
echo "$answer"
[ "$answer" = 'delivered, 200
failed, 400, alert
failed again, 400, alert
two messages, 200, message wamid.1 "STOP", message wamid.1 "STOP please"
a message and failed, 400, alert' ]
