# What the add-on for Odoo says over again is what the database has: its version, the
# names of states, the office's settings with what they are where nothing is set.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;

my $top = dirname(__FILE__) . '/../..';
my $models = "$top/odoo/sicantik_wa/models";

my ($version) = slurp_file("$top/sicantik_wa.control") =~ /^default_version = '(.*)'$/m;
is((slurp_file("$models/database.py") =~ /^VERSION = '(.*?)'/m)[0], $version, 'it is made for the extension of this version');
is((slurp_file("$top/odoo/sicantik_wa/__manifest__.py") =~ /'version': '(.*?)'/)[0], $version, '  and calls itself so');

my ($states) = slurp_file("$models/message.py") =~ /^STATES = \[(.*?)^\]/ms;
my @stored = grep { $_ ne 'in doubt' } slurp_file("$top/src/queue/state.h") =~ /^#define WA_STATE_NAME_\w+\s+"(.*)"/mg;
cmp_ok(scalar @stored, '>', 10, 'states are stored');
is(join(' ', sort $states =~ /\('(\w+)',/g), join(' ', sort @stored), 'each has its words');

# "mode" is set by the page's buttons
my %default = grep { defined } slurp_file("$top/src/office/setting.c") =~ /^\t\{"(\w+)", WA_SETTING_\w+, (NULL|".*?"),/mg;
delete $default{mode};
my ($settings) = slurp_file("$models/desk.py") =~ /^SETTINGS = \[(.*?)^\]/ms;
my %label = $settings =~ /\('(\w+)', "(.*?)"\)/g;
is(join(' ', sort keys %label), join(' ', sort keys %default), 'each of the office\'s settings has a line');
my @other = grep { $label{$_} =~ /\(empty: (.*?)\)/ && $default{$_} ne qq("$1") } sort keys %label;
is(join(' ', @other), '', '  and where nothing is set, what it says there holds');

done_testing();
