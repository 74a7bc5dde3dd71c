# Bodies in the shapes of 2026, one row each with what comes of it: of the
# message, the window, consent, whose id it is, the mapping, the provider.
# First in their order; then, in another database, all of them shuffled, some
# told two or three times: it comes to the same.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP;
use List::Util qw(shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => 'sicantik_wa.worker_idle_timeout = 3600');
my $config = $sim->config;
my %secret = map { $_ => $config->{$_}{webhook_secret} } qw(meta fonnte watzap);
my $seed = $ENV{WA_SEED} || int(rand(1_000_000));
my $json = JSON::PP->new->utf8->canonical;

# In bodies: %n %o two numbers, %u %v ids, %p an id in linked portfolios; %m our
# message at Meta and its recipient %r, its mark %c; %f one at Fonnte, %d its
# device; %k something unique, with %b in each body; %t+5 a time, five seconds after T; %T a template,
# %W an account.  Bodies are Meta's, but for those in an array.
sub changes { my ($field, $value, %entry) = @_; return { object => 'whatsapp_business_account', entry => [ { id => '%W', time => '#%t', changes => [ { field => $field, value => $value } ], %entry } ] }; }
my $us = { phone_number_id => $config->{meta}{phone_number_id}, display_phone_number => '62215550000' };
sub value { my ($field, %value) = @_; return changes($field, { messaging_product => 'whatsapp', metadata => $us, %value }); }
sub said { my ($message, %value) = @_; return value('messages', messages => [ { id => 'wamid.%k%b', timestamp => '%t', %$message } ], %value); }
sub text { my ($from, $text, %more) = @_; return said({ (defined $from ? (from => $from) : ()), type => 'text', text => { body => $text }, %more }); }
sub typed { my ($type, $content, %more) = @_; return said({ from => '%n', type => $type, $type => $content, %more }); }
sub status { my ($status, %more) = @_; my %s = (id => '%m', status => $status, timestamp => '%t', recipient_id => '%r', %more); return value('messages', statuses => [ { map { defined $s{$_} ? ($_ => $s{$_}) : () } keys %s } ]); }
sub failed { my ($code, %more) = @_; return status('failed', errors => [ { code => $code, title => 'x', error_data => { details => 'y' } } ], %more); }
sub moved { my ($system, %more) = @_; return said({ type => 'system', timestamp => '%t+50', system => { body => 'x', %$system }, %more }); }
sub wish { my ($value, %more) = @_; return value('user_preferences', user_preferences => [ { category => 'marketing_messages', value => $value, timestamp => '#%t', detail => 'x', wa_id => '%n', %more } ]); }
sub standby { return value('standby', standby => {@_}); }
sub template { my ($event, %more) = @_; my $entry = delete $more{entry} || {}; return changes('message_template_status_update', { event => $event, message_template_id => 1, message_template_name => '%T', message_template_language => 'id', reason => undef, %more }, %$entry); }
sub changed { my ($field, %more) = @_; return changes($field, { message_template_id => 1, message_template_name => '%T', message_template_language => 'id', %more }); }
sub account { my ($event, %more) = @_; my $entry = delete $more{entry} || {}; return changes('account_update', { event => $event, %more }, %$entry); }
sub restricted { return account('ACCOUNT_RESTRICTION', restriction_info => [ { restriction_type => $_[0], expiration => '#%t+9999999' } ]); }
sub fonnte { return [ 'fonnte', { device => '%d', @_ } ]; }
sub wrote { my ($sender, $text, %more) = @_; return fonnte(sender => $sender, message => $text, name => 'Siti', timestamp => '#%t', inboxid => 0, %more); }
sub watzap { my ($chat, $text, %more) = @_; return [ 'watzap', { type => 'incoming_chat', data => { chat_id => $chat, message_id => '%k%b', name => 'Joko', message_body => $text, is_from_me => JSON::PP::false, timestamp => '#%t', %more } } ]; }
my $stop = text('%n', 'STOP');
my $pause = { title => 'UNPAUSE', description => 'x' };

# What comes of it, in this order: the person %n, then %o and %r: when he opted
# out, in, of marketing, when he wrote last (in seconds after T), how often he
# did; %u and %v: whose number; %m, %f: the message; %T; %W, its provider.
my @rows = (
	# the envelope
	[ 'delivered', 'm=delivered:d0', status('delivered') ],
	[ 'by its mark', 'm=delivered:d0', status('delivered', id => 'wamid.%k', biz_opaque_callback_data => '%c') ],
	[ 'the id wins over a mark', 'm=delivered:d0', status('delivered', biz_opaque_callback_data => 'swa:1:1:1') ],
	[ 'never by number', 'm=sent', status('delivered', id => 'wamid.%k') ],
	[ 'a number as time', 'm=delivered:d0', status('delivered', timestamp => '#%t') ],
	(map { [ "no time: $_", 'm=read:rnow', status('read', timestamp => $_) ] } '', 'x', '-5', '99999999999999999999999', '%t+99999999'),
	[ 'three at once, one with NUL', 'n=out0 win0 1 o=win0 1', value('messages', messages => [ { from => '%n', id => 'w.%k1', timestamp => '%t', type => 'text', text => { body => 'STOP' } }, undef, 7, { from => '%o', id => 'w.%k2', timestamp => '%t', type => 'text', text => { body => "a\0b" } } ]) ],
	[ 'not UTF-8', 'n=win0 1', do { my $b = $json->encode(text('%n', 'XX')); $b =~ s/XX/\xff\xc3/; $b } ],
	[ 'cut', '', do { my $b = $json->encode($stop); substr($b, 0, length($b) - 2) } ],
	(map { [ "nothing: $_", '', $_ ] } '', ' ', 'null', '[]', '7', '"x"', '{}', '[' x 9999, '{"a":' x 9999, '<html>', "\0"),
	[ 'another product', '', { %$stop, object => 'page' } ],
	[ 'the sample of the dashboard', '', changes('messages', { metadata => { phone_number_id => '123456123' }, messages => [ { from => '%n', id => 'x', timestamp => '%t', type => 'text', text => { body => 'STOP' } } ] }) ],
	[ 'a field of the future', '', value('future', messages => [ { from => '%n', id => 'x', type => 'text', text => { body => 'STOP' } } ]) ],

	# who it is
	[ 'contacts bind', 'n=win0 1 u=n', said({ from => '%n', type => 'text', text => { body => 'a' } }, contacts => [ { wa_id => '%n', user_id => '%u' } ]) ],
	[ 'a message binds', 'n=win0 1 u=n', text('%n', 'a', from_user_id => '%u') ],
	[ 'a status binds', 'u=r m=delivered:d0', status('delivered', recipient_user_id => '%u') ],
	[ 'and parents', 'p=r m=delivered:d0', status('delivered', parent_recipient_user_id => '%p') ],
	[ 'a participant of a group', 'u=n m=delivered:d0', status('delivered', recipient_type => 'group', recipient_id => '120363041234567890', recipient_participant_id => '%n', recipient_participant_user_id => '%u') ],
	[ 'an echo binds, and is no word', 'u=n', value('smb_message_echoes', message_echoes => [ { from => '62215550000', to => '%n', to_user_id => '%u', id => 'w', timestamp => '%t', type => 'text', text => { body => 'STOP' } } ]) ],
	[ 'a wish binds', 'n=mout0 u=n', wish('stop', user_id => '%u') ],
	(map { [ "no number: $_", 'u=?:1', said({ from => $_, from_user_id => '%u', type => 'text', text => { body => 'a' } }, contacts => [ { wa_id => $_, user_id => '%u' } ]) ] } '', '12', '1234567890123456', '%u', 'abc'),
	[ 'STOP by an id', 'u=?:out1', text(undef, 'STOP', from_user_id => '%u') ],
	[ 'by an id of a portfolio', 'p=?:out1', text(undef, 'STOP', from_parent_user_id => '%p') ],
	[ 'known later', 'n=out0 win9 2 u=n', text(undef, 'STOP', from_user_id => '%u'), text('%n', 'a', from_user_id => '%u', timestamp => '%t+9') ],
	[ 'known before', 'n=out9 win9 2 u=n', text('%n', 'a', from_user_id => '%u'), text(undef, 'STOP', from_user_id => '%u', timestamp => '%t+9') ],
	[ 'known by a status', 'n=out0 win0 1 u=n', text(undef, 'STOP', from_user_id => '%u'), status('delivered', id => 'wamid.%k', recipient_id => '%n', recipient_user_id => '%u') ],
	[ 'START by an id', 'n=out0 in5 win5 2 u=n', text('%n', 'STOP', from_user_id => '%u'), text(undef, 'START', from_user_id => '%u', timestamp => '%t+5') ],
	[ 'in answer to ours', 'r=out0 win0 1', text(undef, 'STOP', from_user_id => '%u', context => { id => '%m' }) ],
	[ 'he shares his number', 'n=out0 win9 2 u=n', text(undef, 'STOP', from_user_id => '%u'), said({ from_user_id => '%u', timestamp => '%t+9', type => 'contacts', contacts => [ { origin => 'contact_request', phones => [ { wa_id => '%n' } ] } ] }) ],
	[ 'the card of another', 'u=?:1', said({ from_user_id => '%u', type => 'contacts', contacts => [ { origin => 'other', phones => [ { wa_id => '%n' } ] } ] }) ],
	[ 'another number: out goes along', 'n=out0 win0 1 o=out0 u=n v=o', text('%n', 'STOP', from_user_id => '%u'), moved({ type => 'user_changed_number', wa_id => '%o', user_id => '%v', previous_user_id => '%u' }, from => '%n') ],
	[ 'in does not', 'n=in0 win0 1 v=o', text('%n', 'MULAI'), moved({ type => 'user_changed_number', wa_id => '%o', user_id => '%v' }, from => '%n') ],
	[ 'the oldest shape', 'n=out0 win0 1 o=out0', $stop, moved({ type => 'customer_changed_number', new_wa_id => '%o', customer => '%n' }) ],
	[ 'another id', 'n=out0 win0 1 o=out0 win99 1 u=n v=o', text('%n', 'STOP', from_user_id => '%u'), moved({ type => 'user_changed_user_id', user_id => '%v' }, from_user_id => '%u'), text('%o', 'a', from_user_id => '%v', timestamp => '%t+99') ],
	[ 'and another', 'o=out0 win99 1 v=o', text(undef, 'STOP', from_user_id => 'ID.%kA'), moved({ type => 'user_changed_user_id', user_id => 'ID.%kB', previous_user_id => 'ID.%kA' }), moved({ type => 'user_changed_user_id', user_id => '%v', previous_user_id => 'ID.%kB' }), text('%o', 'a', from_user_id => '%v', timestamp => '%t+99') ],
	[ 'marketing too', 'n=mout0 o=mout0', wish('stop'), moved({ type => 'user_changed_number', wa_id => '%o' }, from => '%n') ],
	[ 'said after it: somebody else', 'n=out70 win70 1', moved({ type => 'user_changed_number', wa_id => '%o' }, from => '%n'), text('%n', 'STOP', timestamp => '%t+70') ],

	# statuses
	[ 'all of them', 'm=read:d2:r3', status('read', timestamp => '%t+3'), status('sent', timestamp => '%t+1'), status('delivered', timestamp => '%t+2'), status('delivered', timestamp => '%t+9') ],
	[ 'played', 'm=read:r0', status('played') ],
	[ 'unknown', 'm=sent', status('warning') ],
	[ 'failed', 'm=failed:recipient', failed(131026) ],
	[ 'failed, nothing else told', 'm=failed:recipient', failed(131026, recipient_id => undef) ],
	[ 'failed, delivered', 'm=delivered:d0', failed(131026), status('delivered') ],
	[ 'read, failed', 'm=read:r0', failed(131026), status('read') ],
	(map { [ "failed $_->[0]", "m=failed:$_->[1]", failed($_->[0]) ] } [ '131026', 'recipient' ], [ 130403, 'recipient' ], [ 131062, 'recipient' ], [ 131047, 'policy' ], [ 131070, 'policy' ], [ 132018, 'template' ], [ 999999, 'request' ]),
	[ '131050: marketing, when it was said', 'r=mout0 m=failed:policy', failed(131050) ],
	[ 'the later word', 'r=min5 m=failed:policy', failed(131050), wish('resume', wa_id => '%r', timestamp => '#%t+5') ],
	[ '131049: later', 'm=queued:retry', failed(131049) ],
	[ '135000: not by this template again', 'm=queued:no_provider', failed(135000) ],

	# what people write
	[ 'STOP', 'n=out0 win0 1', $stop ],
	(map { [ "a $_->[0]", 'n=win0 1', typed(@$_) ] } [ image => { id => 1, caption => 'STOP' } ], [ document => { filename => 'STOP', caption => 'STOP' } ], [ audio => { id => 1 } ], [ location => { name => 'STOP' } ], [ order => { text => 'STOP' } ],
		[ unsupported => { type => 'poll' }, errors => [ { code => 131051 } ] ], [ hologram => { body => 'STOP' } ], [ interactive => { type => 'nfm_reply', nfm_reply => { body => 'STOP' } } ],
		[ interactive => { type => 'call_permission_reply', call_permission_reply => { response => 'reject' } } ], [ reaction => { message_id => 'x', emoji => 'a' } ]),
	[ 'reaction taken back', 'n=1', typed(reaction => { message_id => 'x' }) ],
	[ 'edit', 'n=out0 1', typed(edit => { original_message_id => 'x', message => { type => 'text', text => { body => 'STOP' } } }) ],
	[ 'edit lifts nothing', 'n=out0 win0 2', $stop, typed(edit => { message => { type => 'text', text => { body => 'START' } } }, timestamp => '%t+5') ],
	[ 'revoke', 'n=1', typed(revoke => { original_message_id => 'x' }) ],
	[ 'payload', 'n=out0 win0 1', typed(button => { payload => 'STOP', text => 'Ya' }) ],
	[ 'label', 'n=out0 win0 1', typed(button => { text => 'Stop' }) ],
	[ 'button_reply', 'n=out0 win0 1', typed(interactive => { type => 'button_reply', button_reply => { id => 'STOP', title => 'x' } }) ],
	[ 'in a group', 'n=1', text('%n', 'STOP', group_id => 'g') ],
	[ 'older does not move the window', 'n=win0 2', text('%n', 'a'), text('%n', 'b', timestamp => '%t-4000') ],
	[ 'a call', 'n=win0 1', value('calls', calls => [ { id => '%k', from => '%n', event => 'connect', direction => 'USER_INITIATED', timestamp => '%t' } ]) ],
	[ 'a call of ours, accepted', 'n=win0 1', value('calls', statuses => [ { id => '%k', type => 'call', status => 'ACCEPTED', timestamp => '%t', recipient_id => '%n' } ]) ],
	[ 'and refused', '', value('calls', statuses => [ { id => '%k', type => 'call', status => 'REJECTED', timestamp => '%t', recipient_id => '%n' } ]) ],

	# what is not from them
	[ 'history', '', value('history', messages => [ { from => '%n', id => 'x', timestamp => '%t', type => 'text', text => { body => 'STOP' } } ]) ],
	[ 'history in threads', '', value('history', history => [ { threads => [ { id => '%n', messages => [ { from => '%n', type => 'text', text => { body => 'STOP' } } ] } ] } ]) ],
	[ 'address book', '', value('smb_app_state_sync', state_sync => [ { contact => { phone_number => '%n' }, action => 'remove' } ]) ],
	[ 'standby', 'n=out0 win0 1', standby(messages => [ { from => '%n', id => 'w.%k', timestamp => '%t', type => 'text', text => { body => 'STOP' } } ]) ],
	[ 'a status there', 'm=delivered:d0', standby(statuses => [ { id => '%m', status => 'delivered', timestamp => '%t' } ]) ],
	[ 'an echo there', '', standby(message_echoes => [ { id => 'w', timestamp => '%t', message => { to => '%n', text => { body => 'STOP' } } } ]) ],
	[ 'handover', '', changes('messaging_handovers', { type => 'control_passed', recipient => { phone_number_id => $us->{phone_number_id} }, sender => { phone_number => '%n' }, timestamp => '%t' }) ],
	[ 'a summary', 'n=win0 1', said({ from => '%n', type => 'audio' }, conversation_context => { summary => { text => 'STOP' } }) ],

	# marketing
	[ 'resume lifts no STOP', 'n=out0 min9 win0 1', $stop, wish('resume', timestamp => '#%t+9') ],
	[ 'stop and resume', 'n=min5', wish('resume', timestamp => '%t+5'), wish('stop') ],
	[ 'at one time: out', 'n=mout0 min0', wish('resume'), wish('stop') ],
	[ 'signup', 'n=min0', wish('signup', signup_id => 5) ],
	[ 'something new', '', wish('mute') ],

	# templates
	(map { [ $_, 'T=approved', template($_) ] } qw(APPROVED REINSTATED UNARCHIVED SOMETHING)),
	[ 'flagged', 'T=approved:note', template('FLAGGED', disable_info => { disable_date => 'soon' }) ],
	(map { [ $_, 'T=error', template($_) ] } qw(PENDING REJECTED PAUSED DISABLED IN_APPEAL LOCKED LIMIT_EXCEEDED ARCHIVED PENDING_DELETION DELETED)),
	[ 'the end of a pause', 'T=approved', template('PAUSED'), template('APPROVED', other_info => $pause, entry => { time => '#%t+9' }) ],
	[ 'the same by its title', 'T=approved', template('PAUSED'), template('PAUSED', other_info => $pause, entry => { time => '#%t+9' }) ],
	[ 'the later one', 'T=error', template('PAUSED', entry => { time => '#%t+9' }), template('APPROVED') ],
	[ 'another language', 'T=approved', template('PAUSED', message_template_language => 'en-US') ],
	[ 'announced', 'T=approved:UTILITY:note', changed('template_category_update', correct_category => 'MARKETING', new_category => 'UTILITY') ],
	[ 'happened', 'T=approved:MARKETING', changed('template_category_update', previous_category => 'UTILITY', new_category => 'MARKETING') ],
	[ 'quality', 'T=approved:RED', changed('message_template_quality_update', previous_quality_score => 'GREEN', new_quality_score => 'RED') ],

	# accounts
	[ 'no templates', 'W=error', restricted('RESTRICTED_BIZ_INITIATED_MESSAGING') ],
	(map { [ $_, 'W=configured', restricted($_) ] } qw(RESTRICTED_CUSTOMER_INITIATED_MESSAGING RATE_LIMITED_UTILITY_TEMPLATE_MESSAGING RESTRICTED_UTILITY_TEMPLATES RESTRICTED_ADD_PHONE_NUMBER_ACTION SOMETHING)),
	[ 'good news', 'W=configured', account('ACCOUNT_RESTRICTION', violation_info => { violation_type => 'SPAM_RECOVERY' }) ],
	[ 'after bad ones', 'W=configured', restricted('RESTRICTED_BIZ_INITIATED_MESSAGING'), account('ACCOUNT_RESTRICTION', violation_info => { violation_type => 'X_UNBAN' }, entry => { time => '#%t+9' }) ],
	[ 'violation', 'W=configured', account('ACCOUNT_VIOLATION', violation_info => { violation_type => 'UTILITY_TEMPLATE_ABUSE' }) ],
	(map { [ "ban " . $json->allow_nonref->encode($_->[0]), "W=$_->[1]", account('DISABLED_UPDATE', ban_info => { waba_ban_state => $_->[0], waba_ban_date => 'November 27' }) ] } [ 'DISABLE', 'error' ], [ ['DISABLE'], 'error' ], [ 'SCHEDULE_FOR_DISABLE', 'configured' ], [ 'REINSTATE', 'configured' ]),
	[ 'offboarded', 'W=error', account('ACCOUNT_OFFBOARDED') ],
	[ 'and back', 'W=configured', account('ACCOUNT_OFFBOARDED'), account('ACCOUNT_RECONNECTED', entry => { time => '#%t+9' }) ],
	[ 'the portfolio tells it', 'W=error', account('PARTNER_REMOVED', waba_info => { waba_id => '%W' }, entry => { id => '4711' }) ],
	[ 'of another account', 'W=configured', account('PARTNER_REMOVED', waba_info => { waba_id => '999' }, entry => { id => '4711' }) ],
	[ 'added', 'W=configured', account('PARTNER_ADDED', waba_info => { waba_id => '%W' }, entry => { id => '4711' }) ],

	# Fonnte
	[ 'a pair', 'f=read:rnow', fonnte(id => '%f', stateid => 'S%k', status => 'sent', state => ''), fonnte(stateid => 'S%k', state => 'read') ],
	[ 'the id a number', 'f=delivered:dnow', fonnte(id => '#%f', stateid => 'S%k', status => 'Sent', state => 'Delivered') ],
	[ 'no pair', 'f=sent', fonnte(id => '%f', stateid => '', status => 'sent', state => ''), fonnte(stateid => '', state => 'read') ],
	(map { [ "status $_->[0]", "f=$_->[1]", fonnte(id => '%f', status => $_->[0]) ] } [ 'Waiting', 'sent' ], [ 'processing', 'sent' ], [ 'Invalid', 'failed:recipient' ]),
	[ 'invalid, read', 'f=read:rnow', fonnte(id => '%f', status => 'invalid'), fonnte(id => '%f', stateid => 'S%k', status => 'sent', state => 'read') ],
	[ 'a form', 'n=out0 1', [ 'fonnte', 'device=%d&sender=%n&message=%20st%4Fp!&timestamp=%t' ] ],
	[ 'he stops', 'n=out0 1', wrote('%n', 'stop') ],
	[ 'the same twice, and another', 'n=2', wrote('%n', 'a'), wrote('%n', 'a'), wrote('%n', 'b') ],
	[ 'by an inbox', 'n=1', wrote('%n', 'a', inboxid => '#%t'), wrote('%n', 'a', inboxid => '#%t') ],
	(map { [ "group $_", '', wrote($_, 'STOP', member => '') ] } '120363041234567890@g.us', '120363041234567890'),
	[ 'our own', '', wrote('%d', 'STOP') ],
	(map { [ "filler $_", 'n=1', wrote('%n', $_) ] } 'non-text message', 'Non text message ', 'undefined'),

	# Watzap
	(map { [ "chat $_->[0]", 'n=out0 1', watzap(@$_) ] } [ '%n', 'STOP' ], [ '%n@c.us', 'STOP' ], [ 'x%k', 'STOP', name => '%n' ], [ '%n', 'STOP', is_from_me => 'false' ], [ '%n:12@s.whatsapp.net', 'STOP' ]),
	(map { [ 'from us', '', watzap('%n', 'STOP', is_from_me => $_) ] } JSON::PP::true, 'true', 1),
	[ 'group', '', watzap('120363041234567890@g.us', 'STOP', name => '%n') ],
	[ 'an official number there', 'n=out0 1', [ 'watzap', { type => 'x', data => { phone => '%n', message_type => 'text', message_text => 'STOP', message_raw => { from => '%n', id => 'w.%k', timestamp => '%t', type => 'text', text => { body => 'STOP' } } } } ] ],
	[ 'a placeholder', 'n=1', watzap('%n', '[Image]') ],

	# hidden numbers, words
	[ 'hidden at a gateway', '', wrote('62%k1234@lid', 'STOP') ],
	(map { [ "out: $_", 'n=out0 win0 1', text('%n', $_) ] } ' Stop. ', "\"STOP\"", "st\x{200b}op", "BERHENTI!", 'Unsubscribe', 'unsub'),
	(map { [ "not: $_", 'n=win0 1', text('%n', $_) ] } 'jangan stop kirim', 'BATAL', 'TOLAK', 'TIDAK', 'STOPP', '.', 'S T O P'),
	[ 'START', 'n=out0 in5 win5 2', $stop, text('%n', 'mulai', timestamp => '%t+5') ],
	[ 'at one time', 'n=out0 in0 win0 2', $stop, text('%n', 'START') ]);

# An office: a message for each row that speaks of one, its template, its account.

sub office
{
	my ($dbname) = @_;
	my $sql = sub { return $node->safe_psql($dbname, $_[0]); };
	my (@names, %n);

	load_odoo($node, $dbname);
	$sql->("CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup(); SELECT wa_set('confirm_opt_out', 'off')");
	$sql->("SELECT wa_configure('$_', '" . provider_settings($sim, $_) . "'); SELECT wa_configure('$_', '{\"" . ($_ eq 'meta' ? 'app_secret' : 'webhook_secret') . "\": \"$secret{$_}\"}'); SELECT * FROM wa_test_connection('$_')") foreach qw(meta fonnte watzap);
	no_pacing($node, $dbname);
	foreach my $row (@rows)
	{
		my $text = join(' ', map { ref $_ ? $json->allow_nonref->encode($_) : $_ } @$row[ 2 .. $#$row ]);
		push @names, { m => scalar($text =~ /%[mrc]/), f => scalar($text =~ /%f/), T => scalar($text =~ /%T/) };
	}
	my $i = 0;
	foreach my $name (@names)
	{
		$i++;
		$n{$_} .= ",$i" foreach grep { $name->{$_} } qw(m f T);
	}
	$_ = substr($_, 1) foreach values %n;
	my $accounts = scalar @rows;
	$sql->("SELECT wa_map_template('permit_ready', 'meta', '{\"name\": \"permit_ready\", \"status\": \"approved\"}');"
		  . "INSERT INTO wa.contact (number, opted_in_at) SELECT 628111000000 + i, '2026-01-01' FROM unnest('{$n{m}}'::int[]) AS i;"
		  . "SELECT wa_send('permit_ready', (628111000000 + i)::text, '{\"partner_name\": \"B\", \"permit_type\": \"I\", \"permit_number\": \"1\", \"issue_date\": \"x\", \"download_link\": \"https://a.go.id\"}'::jsonb, provider => 'meta') FROM unnest('{$n{m}}'::int[]) AS i;"
		  . "SELECT wa_send_text((628112000000 + i)::text, 'a', provider => 'fonnte') FROM unnest('{$n{f}}'::int[]) AS i;"
		  . "INSERT INTO wa.provider (name, kind, state, tested_at, settings, sequence) SELECT 'a' || i, 'meta', 'configured', '2026-01-01', jsonb_build_object('waba_id', 'w' || i, 'phone_number_id', 'p' || i), 500 + i FROM generate_series(1, $accounts) AS i;"
		  . "INSERT INTO wa.template (key, name, body) SELECT 't' || i, 't', 'a' FROM unnest('{$n{T}}'::int[]) AS i;"
		  . "INSERT INTO wa.template_mapping (template_key, provider, name, status) SELECT 't' || i, 'a' || i, 'name_' || i, 'approved' FROM unnest('{$n{T}}'::int[]) AS i;");
	ok(wait_sql($node, $dbname, "SELECT NOT EXISTS (SELECT FROM wa.message WHERE state <> 'sent')"), "$dbname: messages are sent");
	# days ago, so that what is told of them has a time of its own
	$sql->("UPDATE wa.message SET created_at = created_at - interval '2 days', sent_at = sent_at - interval '2 days', finished_at = finished_at - interval '2 days', expires_at = expires_at + interval '9 days'");
	return $sql;
}

# The bodies of a row as wa_webhook() takes them.
sub bodies
{
	my ($i, $row, $T, $message) = @_;
	my %value = (n => '62815' . (10000000 + $i), o => '62816' . (10000000 + $i), u => "ID.11${i}", v => "ID.12${i}", p => "ID.ENT.13${i}", k => "k$i",
		m => $message->{meta}{key}, r => 628111000000 + $i, c => ($message->{meta}{mark} || ''), f => $message->{fonnte}{key}, d => $config->{fonnte}{device}, T => "name_$i", W => "w$i");
	my @made;
	my $nth = 0;

	foreach my $body (@$row[ 2 .. $#$row ])
	{
		my ($provider, $what) = ref $body eq 'ARRAY' ? @$body : ('meta', $body);
		my $raw = ref $what ? $json->encode($what) : $what;
		$value{b} = $nth++;
		$raw =~ s/"#%t([+-]\d+)?"/$T + ($1 || 0)/ge;
		$raw =~ s/%t([+-]\d+)?(?!\w)/$T + ($1 || 0)/ge;
		$raw =~ s/"#%f"/$value{f}/g;
		$raw =~ s/%([norumvpkbcfdTW])(?![A-Fa-f0-9]{2}(?<=%20|%4F))/defined $value{$1} ? $value{$1} : die "$1 in $row->[0]"/ge;
		push @made, { provider => $provider, body_hex => unpack('H*', $raw), signature => $provider eq 'meta' ? 'sha256=' . hmac_sha256_hex($raw, $secret{meta}) : undef, secret => $provider eq 'meta' ? undef : $secret{$provider} };
	}
	return (\%value, @made);
}

# What there is, as the rows above have it; times after T, "now" for those of arrival.
sub effects
{
	my ($sql, $T) = @_;
	my $when = sub { return "CASE WHEN abs(extract(epoch FROM $_[0]) - $T) > 9000 THEN 'now' ELSE round(extract(epoch FROM $_[0]) - $T)::text END"; };
	my %found;

	foreach my $line (split /\n/, $sql->("SELECT number, concat_ws(' ', 'out' || " . $when->('opted_out_at') . ", 'in' || " . $when->("nullif(opted_in_at, '2026-01-01')") . ", 'mout' || " . $when->('marketing_out_at') . ", 'min' || " . $when->('marketing_in_at') . ", 'win' || " . $when->('last_inbound_at') . ") FROM wa.contact"
		  . " UNION ALL SELECT number || 'i', count(*)::text FROM wa.inbound WHERE number IS NOT NULL GROUP BY 1"
		  . " UNION ALL SELECT user_id || 'i', count(*)::text FROM wa.inbound WHERE number IS NULL AND user_id IS NOT NULL GROUP BY 1"
		  . " UNION ALL SELECT user_id || 'c', string_agg(replace(change, 'opt_', ''), ' ') FROM wa.consent WHERE number IS NULL GROUP BY 1"
		  . " UNION ALL SELECT user_id, min(number) FROM wa.identity_of GROUP BY 1"
		  . " UNION ALL SELECT 'message' || provider || right(number, 6)::int, concat_ws(':', state, reason, 'd' || " . $when->('delivered_at') . ", 'r' || " . $when->('read_at') . ") FROM wa.message"
		  . " UNION ALL SELECT template_key, concat_ws(':', status, provider_category, quality, CASE WHEN provider_note IS NOT NULL THEN 'note' END) FROM wa.template_mapping"
		  . " UNION ALL SELECT name, state FROM wa.provider"))
	{
		my ($key, $value) = split /\|/, $line, 2;
		$found{$key} = $value;
	}
	return \%found;
}

sub effect_of
{
	my ($i, $row, $value, $found) = @_;
	my @said;

	foreach my $who (qw(n o r))
	{
		my @of = grep { defined $_ && length $_ } @$found{ $value->{$who}, "$value->{$who}i" };
		push @said, "$who=@of" if @of;
	}
	foreach my $id (qw(u v p))
	{
		my %whose = map { $value->{$_} => $_ } qw(n o r);
		my $number = $found->{ $value->{$id} };
		my $hidden = join('', grep { defined $_ } @$found{ "$value->{$id}c", "$value->{$id}i" });
		push @said, "$id=$whose{$number}" if defined $number;
		push @said, "$id=?:$hidden" if $hidden ne '';
	}
	push @said, "m=$found->{\"messagemeta$i\"}" if $row->[1] =~ /m=/;
	push @said, "f=$found->{\"messagefonnte$i\"}" if $row->[1] =~ /f=/;
	push @said, "T=$found->{\"t$i\"}" if $row->[1] =~ /T=/;
	push @said, "W=$found->{\"a$i\"}" if $row->[1] =~ /W=/ || $found->{"a$i"} ne 'configured';
	return join(' ', @said);
}

sub play
{
	my ($dbname, $mix) = @_;
	my $sql = office($dbname);
	my $T = $sql->('SELECT extract(epoch FROM clock_timestamp())::bigint - 18000');
	my (%message, @values, @all, @wrong);
	my $i = 0;

	foreach my $line (split /\n/, $sql->("SELECT right(number, 6)::int, provider, provider_message_id, concat_ws(':', 'swa:1', i.mark, id, 1) FROM wa.message, wa.identity AS i"))
	{
		my ($row, $provider, $key, $mark) = split /\|/, $line;
		$message{$row}{$provider} = { key => $key, mark => $mark };
	}
	foreach my $row (@rows)
	{
		my ($value, @bodies) = bodies(++$i, $row, $T, $message{$i} || {});
		push @values, $value;
		push @all, @bodies;
	}
	if ($mix)
	{
		srand($seed);
		@all = shuffle(@all, (grep { rand() < .5 } @all), (grep { rand() < .3 } @all));
	}
	my @counts = play_webhooks($node, $dbname, @all);
	is(scalar @counts, scalar @all, "$dbname: " . @all . ' bodies are taken');
	ok(wait_sql($node, $dbname, "SELECT NOT EXISTS (SELECT FROM wa.feedback WHERE due_at <= clock_timestamp()) AND NOT EXISTS (SELECT FROM wa.request) AND NOT EXISTS (SELECT FROM wa.consent WHERE pending) AND NOT EXISTS (SELECT FROM wa.message WHERE state = 'sending' OR state = 'queued' AND reason = 'template')"), 'and applied');
	is($sql->('SELECT count(*) FROM wa.feedback WHERE problem IS NOT NULL AND problem NOT LIKE \'a number%\''), '0', 'each of them');
	my $found = effects($sql, $T);
	$i = 0;
	foreach my $row (@rows)
	{
		my $effect = effect_of(++$i, $row, $values[ $i - 1 ], $found);
		push @wrong, "$row->[0]: \"$effect\", not \"$row->[1]\"" if $effect ne $row->[1];
	}
	is(join("\n", @wrong), '', @rows . ' rows come to what they should' . ($mix ? " in any order (seed $seed)" : ''));
}

play('odoo', 0);
play('mixed', 1);

done_testing();
