#!/bin/sh
#
# @kapso/whatsapp-cloud-api 0.3.0 (npm, client of Meta's Cloud API):
# normalizeWebhook() calls a citizen's message "outbound" if he quotes a message
# of his own in it, and where a request is about several numbers of the office,
# all messages seem to have come to the last.
#
# In an inbound message, context.from is the sender of the message that is
# quoted (WhatsApp Business API, inbound notifications).  That is the office
# where its message is quoted, and the citizen where he quotes himself ("still
# no answer?", or STOP under his own earlier STOP).  The library takes
# context.from for a number of the office, so the citizen's own number becomes
# one, and what he says is taken for what the office says: who sorts by
# kapso.direction, which is documented for that, drops the message.
#
# One would also expect each message to tell which number it came to, since a
# webhook of one account carries all of its numbers, each change with its
# metadata.  The result has one phoneNumberId for all of its messages, the last:
# an answer to the others goes out from the wrong office.
#
# Before trusting either, look at "raw", where each change is kept as it came.
# Fails if that changes.  Needs node 20 or newer, npm, and the npm registry.
#
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$dir" @kapso/whatsapp-cloud-api@0.3.0 >/dev/null

cat > normalize.mjs <<'JS'
import { normalizeWebhook } from '@kapso/whatsapp-cloud-api/server';

const offices = {
	licensing: { display_phone_number: '622100000000', phone_number_id: '100000000000001' },
	health: { display_phone_number: '622100000001', phone_number_id: '100000000000002' }
};
const change = (office, ...messages) => ({
	field: 'messages',
	value: {
		messaging_product: 'whatsapp',
		metadata: offices[office],
		contacts: [{ profile: { name: 'Budi' }, wa_id: '628120000000' }],
		messages
	}
});
const text = (id, body, quoted) => ({
	from: '628120000000', id, timestamp: '1795780000', type: 'text', text: { body },
	...(quoted && { context: { from: quoted, id: 'wamid.EARLIER' } })
});

const result = normalizeWebhook({
	object: 'whatsapp_business_account',
	entry: [{ id: '1', changes: [
		change('licensing',
			text('quotes nobody', 'STOP'),
			text('quotes the office', 'STOP', '622100000000'),
			text('quotes himself', 'STOP', '628120000000')),
		change('health', text('to another number', 'STOP')) ] }]
});
for (const message of result.messages)
	console.log(`${message.id}: ${message.kapso.direction}, ${message.phoneNumberId ?? result.phoneNumberId}`);
JS

echo "@kapso/whatsapp-cloud-api $(node -p 'require("./node_modules/@kapso/whatsapp-cloud-api/package.json").version'), node $(node --version)"
answer=$(node normalize.mjs)
echo "$answer"
[ "$answer" = 'quotes nobody: inbound, 100000000000002
quotes the office: inbound, 100000000000002
quotes himself: outbound, 100000000000002
to another number: inbound, 100000000000002' ]
