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

our @EXPORT = qw(audit);

sub audit
{
	my ($node, $dbname, $sim, $committed, $rolled_back) = @_;
	my %committed = map { $_ => 1 } @$committed;
	my %rolled_back = map { $_ => 1 } @$rolled_back;
	my (%requests, %accepted, %ledger);
	my %found = map { $_ => [] } qw(lost phantom duplicate untrue unrecorded);
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
		$figures{sent}++ if $state eq 'sent';
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
			$sent++ if $message->{state} eq 'sent';
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

1;
