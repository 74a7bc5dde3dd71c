# again.sed: of the install script the part of an update that nobody writes.
#
# What can be replaced is: functions, views, triggers, comments, rights, what is
# dumped.  What is not there yet is made: tables, sequences, indexes.  Tables that
# are there stay as they are, and so do functions with another result: those are
# for the step that is written by hand.
#
# (The server lets a script of an extension replace only what is the extension's.)

s/^\\echo Use "CREATE EXTENSION sicantik_wa"/\\echo Use "ALTER EXTENSION sicantik_wa UPDATE"/
/^CREATE SCHEMA /d
/^-- Fails if somebody has planted a schema/d
s/^CREATE (TABLE|SEQUENCE|(UNIQUE )?INDEX) /CREATE \1 IF NOT EXISTS /
s/^CREATE (FUNCTION|PROCEDURE|VIEW|TRIGGER) /CREATE OR REPLACE \1 /

# These would take from capture what it needs to record a change, and wait for
# whoever has recorded one in a transaction that is still open.
/^ALTER SEQUENCE wa\.event_id_seq OWNED BY /d
/^CREATE INDEX IF NOT EXISTS event_xact_idx /d
/^ALTER TABLE wa\.event REPLICA IDENTITY /d
