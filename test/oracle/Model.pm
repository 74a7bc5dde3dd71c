# What docs/scenarios.md says would be told, in a few hundred lines that know
# nothing of how the extension does it.
#
# A model is one small world: a permit with its contacts, or documents with
# their approvers, or with the staff who hear of them.  do() carries out one
# transaction in it, go() is a moment at which whatever is to be told is told:
# behind each transaction, or, where messages wait or are composed late, behind
# several.  Both must come to the same, which is the point: go() looks at the
# changes since the last one and at the world as it is by now.
#
#	random()	one transaction, as a list of operations
#	sql($ids)	the same as statements; $ids: the rows of this world
#	do()		the same in the model
#	go()		returns what is told: lines "who text", sorted
package Model;

use strict;
use warnings;

sub pick { return $_[ int(rand(scalar @_)) ]; }
sub composed { return; }
sub filled { return defined $_[0] && $_[0] ne ''; }

# ---- a permit, two contacts, an internal follower
package Model::Permit;

our @ISA = ('Model');

my @statuses = qw(draft active expired renewed cancelled);
my %labels = (
	draft => 'Draf', active => 'Aktif', expired => 'Kedaluwarsa',
	renewed => 'Diperpanjang', cancelled => 'Dibatalkan');

sub new
{
	my ($class) = @_;

	return bless {
		permit => { status => 'draft', permit_number => undef, is_renewal => 0, partner_id => 'c1' },
		phone => { c1 => 1, c2 => 1 },		# which of its telephones; undef: none
		refuses => { c1 => 0, c2 => 0 },
		follower => 1,
		said => {},
		events => [],
		unreached => [],
	}, $class;
}

sub random
{
	my ($self) = @_;
	my @tx;

	do
	{
		my $kind = int(rand(20));

		if ($kind < 8) { push @tx, [ set => status => Model::pick(@statuses, 'active', 'active', 'active') ]; }
		elsif ($kind < 12) { push @tx, [ set => permit_number => Model::pick('N1', 'N1', 'N2', 'New', undef) ]; }
		elsif ($kind < 15) { push @tx, [ set => is_renewal => Model::pick(0, 1) ]; }
		# a refusal is final when it is met, while it waits too: no other contact then
		elsif ($kind < 17) { push @tx, [ set => partner_id => Model::pick('c1', 'c1', 'c2', undef) ] unless $self->{refused}; }
		elsif ($kind < 18) { push @tx, [ phone => Model::pick('c1', 'c2'), Model::pick(1, 2, undef) ]; }
		elsif ($kind < 19 && rand() < 0.3) { push @tx, [ unfollow => 1 ]; }
		elsif (rand() < 0.3) { push @tx, [ Model::pick('merge', 'delete') => 'c1', 'c2' ] unless $self->{refused}; }
		elsif (rand() < 0.2) { push @tx, [ refuse => Model::pick('c1', 'c2') ]; $self->{refused} = 1; }
	} while (!@tx || (@tx < 3 && rand() < 0.4));
	return \@tx;
}

sub sql
{
	my ($self, $tx, $ids) = @_;
	my $number = sub { return "'" . ($_[1] == 1 ? $ids->{"$_[0]_1"} : $ids->{"$_[0]_2"}) . "'"; };
	my @out;

	foreach my $op (@$tx)
	{
		my ($kind, $what, $value) = @$op;

		if ($kind eq 'set')
		{
			my $to = !defined $value ? 'NULL' : $what eq 'partner_id' ? "(SELECT id FROM res_partner WHERE id = $ids->{$value})"
			  : $what eq 'is_renewal' ? ($value ? 'true' : 'false') : "'$value'";

			push @out, "UPDATE sicantik_permit SET $what = $to WHERE id = $ids->{permit}";
		}
		elsif ($kind eq 'phone')
		{
			push @out, 'UPDATE res_partner SET whatsapp_number = '
			  . (defined $value ? $number->($what, $value) : 'NULL') . " WHERE id = $ids->{$what}";
		}
		elsif ($kind eq 'unfollow')
		{
			push @out, "DELETE FROM mail_followers WHERE res_model = 'sicantik.permit' AND res_id = $ids->{permit}";
		}
		elsif ($kind eq 'merge')
		{
			push @out, "UPDATE sicantik_permit SET partner_id = $ids->{c2} WHERE id = $ids->{permit} AND partner_id = $ids->{c1}"
			  . " AND EXISTS (SELECT FROM res_partner WHERE id = $ids->{c2})", "DELETE FROM res_partner WHERE id = $ids->{c1}";
		}
		elsif ($kind eq 'delete') { push @out, "DELETE FROM res_partner WHERE id = $ids->{c2}"; }
		elsif ($kind eq 'refuse')
		{
			push @out, "UPDATE res_partner SET whatsapp_opt_in = false, whatsapp_opt_in_date = now() WHERE id = $ids->{$what}";
		}
	}
	return @out;
}

sub do
{
	my ($self, $tx) = @_;
	my %old = %{ $self->{permit} };
	my $permit = $self->{permit};
	my $changed = 0;

	foreach my $op (@$tx)
	{
		my ($kind, $what, $value) = @$op;

		if ($kind eq 'set')
		{
			$value = undef if $what eq 'partner_id' && defined $value && !exists $self->{phone}{$value};
			$permit->{$what} = $value;
		}
		elsif ($kind eq 'phone') { $self->{phone}{$what} = $value if exists $self->{phone}{$what}; }
		elsif ($kind eq 'unfollow') { $self->{follower} = 0; }
		elsif ($kind eq 'refuse') { $self->{refuses}{$what} = 1; }
		else
		{
			my $gone = $kind eq 'merge' ? 'c1' : 'c2';

			$permit->{partner_id} = $kind eq 'merge' && exists $self->{phone}{c2} ? 'c2' : undef
			  if Model::filled($permit->{partner_id}) && $permit->{partner_id} eq $gone;
			delete $self->{phone}{$gone};
		}
	}
	foreach my $column (keys %old)
	{
		my ($from, $to) = map { defined $_ ? $_ : '' } $old{$column}, $permit->{$column};

		$changed = 1 if $from ne $to;
	}
	push @{ $self->{events} }, { old => \%old, new => {%$permit} } if $changed;
	return;
}

# A number that is yet to be drawn is none.
sub numbered { my ($p) = @_; return Model::filled($p->{permit_number}) && $p->{permit_number} ne 'New'; }
sub active { return $_[0]->{status} eq 'active'; }
sub renewed { return active($_[0]) && $_[0]->{is_renewal}; }
sub ready { return active($_[0]) && numbered($_[0]); }
sub linked { return Model::filled($_[0]->{partner_id}); }

# What is to be said about one change to the applicant, by the scenarios in the
# order of how much they say, as far as it holds now.
sub sayings
{
	my ($self, $event, $last) = @_;
	my ($old, $new, $now) = ($event->{old}, $event->{new}, $self->{permit});
	my $came = linked($new) && !linked($old);
	my $number = numbered($now) ? $now->{permit_number} : '-';
	my @sayings;

	# what had been announced with the number of that time was no news then
	my $known = $self->{said}{ numbered($new) ? $new->{permit_number} : '-' };

	return () unless linked($new) && linked($now);
	push @sayings, { text => "renewed $number", once => $number }
	  if renewed($new) && (!renewed($old) || $came || (numbered($new) && !numbered($old))) && renewed($now) && !$known;
	push @sayings, { text => "ready $number", once => $number }
	  if ready($new) && (!ready($old) || $came) && ready($now) && !$known;
	push @sayings, { text => "status $labels{$old->{status}} $labels{$new->{status}}" }
	  if $last && $old->{status} ne $new->{status} && $now->{status} eq $new->{status};
	return @sayings;
}

# Of several changes of the status the last one counts.
sub is_last
{
	my ($event, @later) = @_;

	return !grep { $_->{old}{status} ne $_->{new}{status} } @later;
}

# What is read while messages wait is composed all the same.  For whom there is
# no telephone then, there is no message that waits: he is looked for at each
# change of the record, until what he was to be told is not true.
sub composed
{
	my ($self) = @_;
	my @events = @{ $self->{events} };
	my @older = @{ $self->{unreached} };

	return unless grep { !$_->{composed} } @events;
	for my $i (-@older .. $#events)
	{
		my $event = $i < 0 ? $older[$i] : $events[$i];
		my $last = is_last($event, @events[ ($i < 0 ? 0 : $i + 1) .. $#events ]) && ($i >= 0 || $event->{last});
		my $new = !$event->{composed}++ && $i >= 0;

		next unless $new || $event->{skipped};
		my ($best) = grep { !defined $_->{once} || !$self->{said}{ $_->{once} } } $self->sayings($event, $last);
		$event->{over} = 1 if $event->{skipped} && !$best;
		$event->{skipped} = $best && !defined $self->{phone}{ $self->{permit}{partner_id} };
	}
	return;
}

sub go
{
	my ($self) = @_;
	my @events = @{ $self->{events} };
	my @told;

	foreach my $event (@{ $self->{unreached} })
	{
		$event->{last} = $event->{last} && is_last($event, @events);
	}
	for my $i (0 .. $#events)
	{
		$events[$i]{last} = is_last($events[$i], @events[ $i + 1 .. $#events ]);
	}
	my @asked = (@{ $self->{unreached} }, @events);
	$self->{events} = [];
	$self->{unreached} = [];
	foreach my $event (@asked)
	{
		my ($old, $new, $now) = ($event->{old}, $event->{new}, $self->{permit});
		my ($best) = grep { !defined $_->{once} || !$self->{said}{ $_->{once} } } $self->sayings($event, $event->{last});

		if ($best && !$event->{over})
		{
			my $contact = $now->{partner_id};
			my $phone = $self->{phone}{$contact};

			# for want of a telephone nothing was announced; it waits for one
			if (!defined $phone)
			{
				$event->{skipped} = 1;
				push @{ $self->{unreached} }, $event;
			}
			else
			{
				$self->{said}{ $best->{once} } = 1 if defined $best->{once};
				push @told, "${contact}_$phone $best->{text}" unless $self->{refuses}{$contact};
			}
		}
		push @told, "f status $labels{$old->{status}} $labels{$new->{status}}"
		  if $self->{follower} && !$event->{staff_told}++ && $event->{last}
		  && $old->{status} ne $new->{status} && $now->{status} eq $new->{status};
	}
	return sort @told;
}

# ---- documents, and two people who are asked to approve them
package Model::Approval;

our @ISA = ('Model');

sub new
{
	my ($class) = @_;

	return bless {
		documents => { map { $_ => { state => 'draft', requires_approval => 1 } } qw(d1 d2) },
		workflows => {},
		users => { u1 => 1, u2 => 1 },
		asked => {},
		events => [],
	}, $class;
}

sub random
{
	my ($self) = @_;
	my @tx;

	do
	{
		my $kind = int(rand(20));
		my $d = Model::pick('d1', 'd2');
		my $w = Model::pick('w1', 'w2', 'w3');

		if ($kind < 7) { push @tx, [ document => $d, state => Model::pick('draft', 'pending_signature', 'pending_signature', 'signed') ]; }
		elsif ($kind < 9) { push @tx, [ document => $d, requires_approval => Model::pick(0, 1) ]; }
		elsif ($kind < 14) { push @tx, [ make => $w, $w eq 'w3' ? 'd2' : 'd1', Model::pick('u1', 'u2', undef) ]; }
		elsif ($kind < 16) { push @tx, [ workflow => $w, approver_id => Model::pick('u1', 'u2', undef) ]; }
		elsif ($kind < 18) { push @tx, [ workflow => $w, state => Model::pick('pending', 'approved') ]; }
		elsif ($kind < 19) { push @tx, [ unmake => $w ]; }
		elsif (rand() < 0.2) { push @tx, [ leave => 'u2' ]; }
	} while (!@tx || (@tx < 3 && rand() < 0.4));
	return \@tx;
}

sub sql
{
	my ($self, $tx, $ids) = @_;
	my $value = sub
	{
		my ($column, $v) = @_;

		return !defined $v ? 'NULL' : $column eq 'approver_id' ? $ids->{$v}
		  : $column eq 'requires_approval' ? ($v ? 'true' : 'false') : "'$v'";
	};
	my @out;

	foreach my $op (@$tx)
	{
		my ($kind, $what, $column, $v) = @$op;

		if ($kind eq 'document')
		{
			push @out, "UPDATE sicantik_document SET $column = " . $value->($column, $v) . " WHERE id = $ids->{$what}";
		}
		elsif ($kind eq 'make')
		{
			# the one that was there before is another one, with another id
			push @out, "DELETE FROM signature_workflow WHERE id = (SELECT id FROM oracle_workflow WHERE world = $ids->{world} AND name = '$what')",
			  "UPDATE oracle_workflow SET id = nextval('signature_workflow_id_seq') WHERE world = $ids->{world} AND name = '$what'",
			  "INSERT INTO signature_workflow (id, document_id, approver_id, state) SELECT id, $ids->{$column}, "
			  . $value->('approver_id', $v) . ", 'pending' FROM oracle_workflow WHERE world = $ids->{world} AND name = '$what'";
		}
		elsif ($kind eq 'workflow')
		{
			push @out, "UPDATE signature_workflow SET $column = " . $value->($column, $v)
			  . " WHERE id = (SELECT id FROM oracle_workflow WHERE world = $ids->{world} AND name = '$what')";
		}
		elsif ($kind eq 'unmake')
		{
			push @out, "DELETE FROM signature_workflow WHERE id = (SELECT id FROM oracle_workflow WHERE world = $ids->{world} AND name = '$what')";
		}
		else { push @out, "UPDATE res_users SET active = false WHERE id = $ids->{$what}"; }
	}
	return @out;
}

sub do
{
	my ($self, $tx) = @_;
	my (%before, @order);
	my $touch = sub
	{
		my ($name, $row) = @_;

		return if exists $before{$name};
		$before{$name} = $row ? {%$row} : undef;
		push @order, $name;
	};

	foreach my $op (@$tx)
	{
		my ($kind, $what, $column, $v) = @$op;

		if ($kind eq 'document')
		{
			$touch->($what, $self->{documents}{$what});
			$self->{documents}{$what}{$column} = $v;
		}
		elsif ($kind eq 'make')
		{
			my $name = $what . '#' . ++$self->{made};

			delete $self->{workflows}{ $self->{current}{$what} } if defined $self->{current}{$what};
			$self->{current}{$what} = $name;
			$touch->($name, undef);
			$self->{workflows}{$name} = { document => $column, approver_id => $v, state => 'pending' };
		}
		elsif ($kind eq 'workflow' && defined $self->{current}{$what} && $self->{workflows}{ $self->{current}{$what} })
		{
			my $name = $self->{current}{$what};

			$touch->($name, $self->{workflows}{$name});
			$self->{workflows}{$name}{$column} = $v;
		}
		elsif ($kind eq 'unmake' && defined $self->{current}{$what})
		{
			delete $self->{workflows}{ $self->{current}{$what} };
		}
		elsif ($kind eq 'leave') { $self->{users}{$what} = 0; }
	}
	foreach my $name (@order)
	{
		my $row = $self->{documents}{$name} || $self->{workflows}{$name};

		push @{ $self->{events} }, { name => $name, old => $before{$name}, new => $row ? {%$row} : undef };
	}
	return;
}

sub wants { my ($d) = @_; return $d->{state} eq 'pending_signature' && $d->{requires_approval}; }
sub asks { my ($w) = @_; return $w && $w->{state} eq 'pending' && defined $w->{approver_id} ? $w->{approver_id} : undef; }

sub go
{
	my ($self) = @_;
	my %wanted;
	my %told;

	foreach my $event (@{ $self->{events} })
	{
		my ($name, $old, $new) = @$event{qw(name old new)};

		if (exists $self->{documents}{$name})
		{
			next if wants($old) && wants($new);
			# it is over: when it comes back, it asks again
			if (wants($old)) { delete $self->{asked}{$_} foreach grep { /^$name / } keys %{ $self->{asked} }; }
			next unless wants($new);
			$wanted{"$name $_ $self->{workflows}{$_}{approver_id}"} = 1
			  foreach grep { $self->{workflows}{$_}{document} eq $name && asks($self->{workflows}{$_}) } keys %{ $self->{workflows} };
		}
		else
		{
			my ($before, $after) = (asks($old), asks($new));
			my $document = $new ? $new->{document} : $old ? $old->{document} : undef;

			next if !defined $document || (defined $before && defined $after && $before eq $after);
			delete $self->{asked}{"$document $name $before"} if defined $before;
			$wanted{"$document $name $after"} = 1 if defined $after;
		}
	}
	$self->{events} = [];
	foreach my $request (sort keys %wanted)
	{
		my ($document, $name, $user) = split(/ /, $request);
		my $asks = asks($self->{workflows}{$name});

		next if $self->{asked}{$request} || !defined $asks || $asks ne $user
		  || !wants($self->{documents}{$document}) || !$self->{users}{$user};
		$self->{asked}{$request} = 1;
		$told{$user}{$document} = 1;
	}
	return sort map { "$_ approve " . scalar(keys %{ $told{$_} }) } keys %told;
}

1;
