# What packagers read: PGXN's META.json by its specification
# (https://pgxn.org/meta/spec.txt), Debian's control file and changelog, and that all
# of them name the version that the control file of the extension names.

use strict;
use warnings;

use File::Basename qw(dirname);
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = dirname(__FILE__) . '/../..';
my ($version) = slurp_file("$top/sicantik_wa.control") =~ /^default_version = '(.*)'$/m;
my $meta = decode_json(slurp_file("$top/META.json"));
my $term = qr/\A[^\s\/\\]{2,}\z/;
my $semver = qr/\A(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-?[a-z][-0-9a-z]*)?\z/i;

is(join(' ', grep { !exists $meta->{$_} } qw(abstract license maintainer meta-spec name provides version)), '', 'META.json has what it must have');
like($meta->{name}, $term, 'a name');
like($meta->{version}, $semver, 'a semantic version');
is($meta->{version}, "$version.0", '  which is the extension\'s');
like($meta->{release_status}, qr/\A(?:stable|testing|unstable)\z/, 'a release status');
is($meta->{license}, 'postgresql', 'a license of the list');
is($meta->{'meta-spec'}{version}, '1.0.0', 'the version of the specification');
ok(length $meta->{abstract}, 'an abstract');
ok(!ref $meta->{maintainer} && length $meta->{maintainer}, 'a maintainer');
is(join(' ', keys %{ $meta->{provides} }), 'sicantik_wa', 'what it provides');
my $provided = $meta->{provides}{sicantik_wa};
ok(-e "$top/$provided->{$_}", "  with its $_, which is there") foreach qw(file docfile);
is($provided->{version}, $meta->{version}, '  of the same version');
like($meta->{prereqs}{runtime}{requires}{PostgreSQL}, $semver, 'the PostgreSQL that it needs');
is(join(' ', grep { !/$term/ && !/\A[^\/\\]{2,}\z/ } @{ $meta->{tags} }), '', 'tags');

my ($package, $debian) = slurp_file("$top/debian/changelog") =~ /\A(\S+) \((\S+)\)/;
like($debian, qr/\A\Q$version\E-\d+\z/, 'debian/changelog is of that version');
my $control = slurp_file("$top/debian/control.in");
is(($control =~ /^Source: (\S+)$/m)[0], $package, '  and of that source');
# what pg_buildext makes of it, for the PostgreSQL of this Debian
my $made = slurp_file("$top/debian/control") =~ s/postgresql-\d+-sicantik-wa/postgresql-PGVERSION-sicantik-wa/gr =~ s/(for PostgreSQL) \d+$/$1 PGVERSION/mgr;
is($made, $control, 'debian/control is made of control.in');
is(join(' ', grep { !-e "$top/$_" } split /\n/, slurp_file("$top/debian/docs")), '', 'the documents of the package are there');

done_testing();
