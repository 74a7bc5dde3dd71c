# The audit of a run in which things were killed: what was committed, what the
# ledger says, and what the providers took are compared, number by number.
# Each message of such a run has a number of its own.
#
#	my $audit = audit($node, 'odoo', $sim, \@committed, \@rolled_back);
#	is_deeply($audit->{lost}, [], 'nothing is lost');
#
# What it looks for, each a list of sentences:
#	lost		committed, and no message in the ledger or one without an end
#	phantom		sent for work that was rolled back, or for nobody's work
#	duplicate	taken more often by a provider than the ledger's doubts explain
#	untrue		the ledger says sent and no provider took it, or says it failed
#				and one did
#	unrecorded	a request that no attempt in the ledger stands for
# And figures: messages, sent, unknown, accepted, repeated.
package SicantikWa::Audit;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(audit miscounts);

sub audit
{
	my ($node, $dbname, $sim, $committed, $rolled_back) = @_;
	my %committed = map { $_ => 1 } @$committed;
	my %rolled_back = map { $_ => 1 } @$rolled_back;
	my (%requests, %accepted, %ledger);
	my %found = map { $_ => [] } qw(lost phantom duplicate untrue unrecorded);

	$found{miscounted} = [ miscounts($node, $dbname) ];
	my %figures = (messages => 0, sent => 0, unknown => 0, repeated => 0, accepted => 0);

	foreach my $request (grep { defined $_->{to} } $sim->sends)
	{
		$requests{ $request->{to} }++;
		next unless $request->{accepted};
		$accepted{ $request->{to} }++;
		$figures{accepted}++;
	}

	my $rows = $node->safe_psql(
		$dbname, q(SELECT m.number, m.id, m.state, coalesce(m.due_at IS NULL, true), m.repeats,
			count(a), count(a) FILTER (WHERE a.outcome = 'unknown')
			FROM wa.message AS m LEFT JOIN wa.attempt AS a ON a.message_id = m.id
			WHERE m.number IS NOT NULL GROUP BY m.id));
	foreach my $row (split /\n/, $rows)
	{
		my ($number, $id, $state, $over, $repeats, $attempts, $unknown) = split /\|/, $row;

		push @{ $ledger{$number} }, {
			id => $id,
			state => $state,
			over => $over eq 't' && $state !~ /^(queued|sending|held)$/,
			repeats => $repeats,
			attempts => $attempts,
			unknown => $unknown };
		$figures{messages}++;
		$figures{sent}++ if $state =~ /^(sent|delivered|read)$/;
		$figures{unknown}++ if $state eq 'unknown';
		$figures{repeated}++ if $repeats > 0;
	}

	foreach my $number (sort keys %committed)
	{
		my @messages = @{ $ledger{$number} || [] };

		push @{ $found{lost} }, "$number: no message" unless @messages;
		push @{ $found{lost} }, "$number: message $_->{id} is $_->{state}"
		  foreach grep { !$_->{over} } @messages;
	}
	push @{ $found{phantom} }, "$_: rolled back, in the ledger"
	  foreach grep { $rolled_back{$_} } sort keys %ledger;
	push @{ $found{phantom} }, "$_: " . ($rolled_back{$_} ? 'rolled back' : 'unknown to us') . ', sent'
	  foreach grep { !$committed{$_} } sort keys %requests;

	foreach my $number (sort keys %ledger)
	{
		my @messages = @{ $ledger{$number} };
		my $taken = $accepted{$number} || 0;
		my ($sent, $doubts, $attempts, $repeats, $failed) = (0, 0, 0, 0, 0);

		foreach my $message (@messages)
		{
			$sent++ if $message->{state} =~ /^(sent|delivered|read)$/;
			$failed++ if $message->{state} =~ /^(failed|cancelled|expired|skipped)$/;
			$doubts += $message->{unknown};
			$attempts += $message->{attempts};
			$repeats += $message->{repeats};
		}
		push @{ $found{duplicate} }, "$number: taken $taken times, $sent sent, $doubts in doubt, $repeats repeated"
		  if $taken > $sent + $doubts || $taken > @messages + $repeats;
		push @{ $found{untrue} }, "$number: $sent sent, taken $taken times"
		  if $taken < $sent;
		push @{ $found{untrue} }, "$number: failed, and was taken"
		  if $failed == @messages && $taken > 0;
		push @{ $found{unrecorded} }, "$number: $requests{$number} requests, $attempts attempts"
		  if ($requests{$number} || 0) > $attempts;
	}
	return { %found, %figures };
}

# miscounts($node, $dbname): where the figures (wa.figure with wa.figure_change) are
# not what counting the ledger gives, "figure: figures, ledger" each; counted in
# SQL, by another hand than the triggers'.
sub miscounts
{
	my ($node, $dbname) = @_;
	my $step = sub { "(CASE WHEN $_[0] < 1 THEN 0 ELSE floor(4 * ln($_[0]) / ln(2.0)) + 1 END)::text" };
	my $ms = sub { "(extract(epoch FROM $_[0] - greatest(coalesce(event_at, created_at), send_at)) * 1000)::double precision" };
	my $delivered = 'coalesce(delivered_at, read_at)';

	return split /\n/, $node->safe_psql(
		$dbname, qq{
		WITH zone AS (SELECT coalesce((SELECT time_zone FROM wa.figure_zone), wa._time_zone()) AS zone),
		m AS (SELECT (created_at AT TIME ZONE zone)::date AS day, coalesce(scenario, '') AS made_by, coalesce(provider, '') AS had_by, wa.message.*
			FROM wa.message, zone),
		ledger AS (
			SELECT m.day, m.made_by AS scenario, m.had_by AS provider, x.figure, x.detail, sum(x.n) AS n FROM m, LATERAL (VALUES
				(state, coalesce(reason, ''), 1), ('attempts', '', attempts), ('repeats', '', repeats),
				('was_sent', '', (coalesce(sent_at, $delivered) IS NOT NULL OR state IN ('sent', 'delivered', 'read'))::int),
				('was_read', '', (read_at IS NOT NULL OR state = 'read')::int),
				('was_delivered', '', ($delivered IS NOT NULL OR state IN ('delivered', 'read'))::int),
				('sent_after', } . $step->($ms->('sent_at')) . qq{, (sent_at IS NOT NULL)::int),
				('delivered_after', } . $step->($ms->($delivered)) . qq{, ($delivered IS NOT NULL)::int),
				('pricing', concat_ws('/', } . join(', ', map { "left(replace(coalesce(pricing ->> '$_', ''), '/', '-'), " . ($_ eq 'billable' ? 6 : 36) . ')' } qw(category type billable)) . qq{),
					(pricing IS NOT NULL)::int)) AS x (figure, detail, n)
			GROUP BY 1, 2, 3, 4, 5
			UNION ALL
			SELECT (started_at AT TIME ZONE zone)::date, '', provider, 'attempt', outcome, count(*) FROM wa.attempt, zone GROUP BY 1, 3, 5),
		figures AS (
			SELECT day, scenario, provider, figure, detail, sum(n) AS n FROM (SELECT * FROM wa.figure UNION ALL SELECT * FROM wa.figure_change) AS f
			GROUP BY 1, 2, 3, 4, 5)
		SELECT format('%s %s %s %s %s: %s, %s', day, scenario, provider, figure, detail, f.n, l.n)
		FROM (SELECT * FROM ledger WHERE n <> 0) AS l FULL JOIN (SELECT * FROM figures WHERE n <> 0) AS f USING (day, scenario, provider, figure, detail)
		WHERE l.n IS DISTINCT FROM f.n ORDER BY 1});
}

1;
