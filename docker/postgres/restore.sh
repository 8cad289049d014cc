#!/bin/sh
# Run by `docker/restore` in a container of its own, with the server stopped: puts the base backup $1 in the place of the data, to be
# brought forward to the time $2 (the end of the log where empty) when the server starts. What was there is kept beside it.
set -eu
base=/backups/base/$1
[ -f "$base/base.tar.gz" ] || { echo "there is no backup $1" >&2; exit 1; }
[ ! -e "$PGDATA" ] || mv "$PGDATA" "$PGDATA.before-$(date -u +%Y%m%dT%H%M%SZ)"
mkdir -p "$PGDATA"
tar -xzf "$base/base.tar.gz" -C "$PGDATA"
tar -xzf "$base/pg_wal.tar.gz" -C "$PGDATA/pg_wal"
{
  echo "restore_command = 'test -f /backups/wal/%f.gz && gzip -dc /backups/wal/%f.gz >%p'"
  echo "recovery_target_action = 'promote'"
  [ -z "$2" ] || echo "recovery_target_time = '$2'"
} >>"$PGDATA/postgresql.auto.conf"
touch "$PGDATA/recovery.signal"
rm -f "$PGDATA/standby.signal" "$PGDATA/member" "$PGDATA/alone" # taken of a standby, or among members: it is a database of its own from here on
chown -R postgres:postgres "$PGDATA"
chmod 700 "$PGDATA"
