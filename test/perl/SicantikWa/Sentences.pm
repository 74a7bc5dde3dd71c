# The sentences in the C sources: what the ledger may store, read from the
# sources themselves, so that a new one cannot be forgotten where they are
# translated.
#
#	foreach my $found (sentences_in($file)) { $found->{text}, $found->{line} }
#
# A sentence is a string literal of several words (adjacent literals are one).
# Not counted: those that go to the server's log or to a client as an error,
# names of memory contexts and the like, SQL; but texts quoted in SQL are.
package SicantikWa::Sentences;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(sentences_in reasons_in);

# A string inside the parentheses of one of these is no sentence of ours.
my %elsewhere = map { $_ => 1 } qw(
  elog errdetail errdetail_internal errhint errmsg_internal strcmp strstr sscanf
  AllocSetContextCreate hash_create wa_frame_begin PreventCommandDuringRecovery
  wa_compose_values_add wa_compose_office_setting add_member);

sub source_of
{
	my ($file) = @_;

	open my $handle, '<', $file or die "could not read $file: $!";
	local $/;
	my $source = <$handle>;
	close $handle;
	# comments and preprocessor lines become blanks; lines keep their numbers
	$source =~ s{("(?:\\.|[^"\\\n])*")|(/\*.*?\*/)}{
		my ($string, $comment) = ($1, $2);
		if (defined $comment) { $comment =~ s/[^\n]//g; }
		defined $string ? $string : " $comment" }gse;
	$source =~ s/^[ \t]*#.*$//mg;
	return $source;
}

# Every conversion of printf is a value.
sub normalized
{
	my ($text) = @_;

	$text =~ s/\\(["\\])/$1/g;
	$text =~ s/%%/\0/g;
	$text =~ s/%[-0-9.*]*(?:l|ll|z|h)?[a-zA-Z]/%s/g;
	$text =~ s/\0/%/g;
	return $text;
}

sub is_sentence
{
	my ($text) = @_;

	return $text =~ /[a-z]{2,}[,.:;)]* (?:\(?[a-z]{2,}|%s)/ || $text =~ /%s [a-z]{2,}/;
}

# Texts between single quotes, as SQL writes them.
sub quoted_in_sql
{
	my ($sql) = @_;

	return grep { is_sentence($_) && !/^\d/ } $sql =~ /'([^']*)'/g;
}

# sentences_in($file, %options): hashes with text and line.
# Options: errors => 1 counts the messages of errors too.
sub sentences_in
{
	my ($file, %options) = @_;
	my $source = source_of($file);
	my @found;
	my @calls;
	my ($text, $line, $word) = (undef, 1, '');
	my $end = sub {
		my %in = map { $_ => 1 } @calls;

		if (defined $text && !grep { $elsewhere{$_} } @calls)
		{
			my $whole = normalized($text);
			my @texts =
				$in{WA_STATEMENT} || $in{WA_STATEMENT_OF} || $whole =~ /^ *(?:WITH|SELECT) \w.* (?:FROM|AS) |^ (?:WHEN|ELSE) / ? quoted_in_sql($whole)
			  : ($in{errmsg} || $in{errmsg_plural}) && !$options{errors} ? ()
			  : is_sentence($whole) ? ($whole)
			  : ();

			push @found, map { { text => $_, line => $line } } @texts;
		}
		undef $text;
	};

	while ($source =~ /\G(?:(\s+)|"((?:\\.|[^"\\])*)"|(U?INT64_FORMAT|UINT64_FORMAT)|('(?:\\.|[^'\\])')|(\w+)|(.))/gs)
	{
		my ($blank, $string, $format, $char, $name, $other) = ($1, $2, $3, $4, $5, $6);

		if (defined $blank) { $line += $blank =~ tr/\n//; }
		elsif (defined $string) { $text = ($text // '') . $string; }
		elsif (defined $format) { $text = ($text // '') . '%ld'; }
		else
		{
			$end->();
			if (defined $name) { $word = $name; next; }
			if (defined $other && $other eq '(') { push @calls, $word; }
			elsif (defined $other && $other eq ')') { pop @calls; }
			$word = '';
		}
	}
	return @found;
}

# reasons_in($file): the reason codes that a file gives to messages, and the
# words for what became of an event.
sub reasons_in
{
	my ($file) = @_;
	my $source = source_of($file);
	my %found;

	open my $handle, '<', $file or die "could not read $file: $!";
	$found{$_} = 'reason' foreach join('', <$handle>) =~ /^#define\s+WA_REASON_NAME_\w+\s+"([a-z_]+)"/mg;
	$found{$_} = 'outcome' foreach
	  $source =~ /wa_compose_outcome\([^;"]*"([a-z ]+)"/g;
	return %found;
}

1;
