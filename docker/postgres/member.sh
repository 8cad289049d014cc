#!/bin/bash
# Entry point of a member (docker-compose.standbys.yml). Before the server starts, the other members are asked what this one may be:
# a primary that was away must not go on where another has taken over. It comes back as that one's standby.
set -euo pipefail
trap 'exit 143' INT TERM

say() { echo "member $MEMBER: $*" >&2; }
as_postgres() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
at() { echo "host=$1 user=$POSTGRES_USER dbname=$POSTGRES_DB connect_timeout=2"; }

# What a member says of itself, "primary" or "standby", and the newest timeline that it knows; nothing where it does not answer.
ask() {
  PGOPTIONS='-c statement_timeout=2s' psql -XAt -F ' ' -d "$(at "$1")" -c "SELECT CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END,
    max(left(name, 8)) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{8}'" 2>/dev/null || true
}

# Sets: heard, how many of the others answered; newest, the newest timeline of theirs; primary, the one that writes (the newest of several).
look_round() {
  heard=0 newest=00000000 primary='' primary_line=00000000
  local member state line
  for member in $POSTGRES_MEMBERS; do
    [ "$member" != "$MEMBER" ] || continue
    read -r state line < <(ask "$member") || continue
    heard=$((heard + 1))
    if [[ $line > $newest ]]; then newest=$line; fi
    if [[ $state = primary && $line > $primary_line ]]; then primary=$member primary_line=$line; fi
  done
}

own_timeline() { find "$PGDATA/pg_wal" -maxdepth 1 -printf '%f\n' | grep -E '^[0-9A-F]{8}' | cut -c 1-8 | sort | tail -n 1; }

# Says why this member waits, when that changes.
wait_because() {
  [ "$*" = "${reason:-}" ] || say "$*"
  reason=$*
  sleep 1
}

# Without the moment that a restore went to: what is copied of a restored primary has it, and would stop there and become a primary.
follow() {
  as_postgres rm -f "$PGDATA/alone"
  as_postgres touch "$PGDATA/standby.signal"
  as_postgres sed -i -E '/^(primary_conninfo|recovery_target|restore_command)/d' "$PGDATA/postgresql.auto.conf"
  as_postgres tee -a "$PGDATA/postgresql.auto.conf" >/dev/null <<<"primary_conninfo = 'host=$1 user=$POSTGRES_USER'"
  say "a standby of $1"
}

copy() {
  install -d -o postgres -g postgres "$(dirname "$PGDATA")"
  rm -rf "$PGDATA.part"
  as_postgres pg_basebackup -d "$(at "$1")" -D "$PGDATA.part" -X stream -c fast
  rm -rf "$PGDATA" # an empty one: the image makes it
  mv "$PGDATA.part" "$PGDATA"
}

# What this member wrote and no standby ever had is undone. Nobody was told that it was done.
rewind() {
  say "$1 has taken over: what only this member has is undone"
  if ! as_postgres pg_rewind -D "$PGDATA" --source-server "$(at "$1")"; then
    say "that cannot be undone piece by piece: all of it is copied, the old data stay beside it"
    mv "$PGDATA" "$PGDATA.before-$(date -u +%Y%m%dT%H%M%SZ)"
    copy "$1"
  fi
}

# The first start of all: makes the database where nobody can commit yet, because a commit would wait for a standby.
initialise() {
  docker-entrypoint.sh postgres -c listen_addresses=127.0.0.1 -c port=5431 &
  until pg_isready -q -h 127.0.0.1 -p 5431; do
    kill -0 $! || { say "the database could not be made"; exit 1; }
    sleep 0.2
  done
  kill -INT $!
  wait $!
}

# A database is made only after many looks: the others, if they have one, may be slow to come, and must not be given a new one in its place.
without_data() {
  local looks=0
  while true; do
    look_round
    if [ -n "$primary" ]; then
      copy "$primary" && follow "$primary"
      return
    elif [ "$heard" -gt 0 ]; then
      wait_because "this member has no data, others have, and none is primary: see docker/promote"
    elif [ "$MEMBER" = "${POSTGRES_MEMBERS%% *}" ] && [ "$looks" -ge 20 ]; then
      initialise
      return
    else
      wait_because "there is no primary yet"
    fi
    looks=$((looks + 1))
  done
}

# A standby finds its primary again later, by docker/promote, where none answers now.
as_standby() {
  look_round
  [ -z "$primary" ] || follow "$primary"
}

# One of the others has to agree: alone, a member cannot know whether they have gone on without it. Only a database that was never a member's (a new one, one
# from before there were members, a restored one), or one that was last told to be alone, goes ahead: the others have nothing, and wait for it.
as_primary() {
  while true; do
    look_round
    if [ -n "$primary" ]; then
      rewind "$primary" && follow "$primary"
      return
    elif [ ! -e "$PGDATA/member" ]; then
      say "the first primary"
      return
    elif [ "$heard" -eq 0 ] && [ "$POSTGRES_MEMBERS" != "$MEMBER" ] && [ ! -e "$PGDATA/alone" ]; then
      wait_because "this member was the primary; it waits until another member answers"
    elif [[ $newest > $(own_timeline) ]]; then
      wait_because "another member has taken over, and does not answer"
    else
      say "the primary"
      return
    fi
  done
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  without_data
elif [ -e "$PGDATA/standby.signal" ]; then
  as_standby
else
  as_primary
fi
as_postgres touch "$PGDATA/member"
if [ "$POSTGRES_MEMBERS" = "$MEMBER" ]; then # alone on purpose
  POSTGRES_SYNCHRONOUS=''
  as_postgres touch "$PGDATA/alone"
else
  as_postgres rm -f "$PGDATA/alone"
fi
# wal_log_hints: for pg_rewind where the database has no checksums. wal_keep_size: for how long a standby may be away.
exec docker-entrypoint.sh "$@" -c "cluster_name=$MEMBER" -c "synchronous_standby_names=$POSTGRES_SYNCHRONOUS" \
  -c hba_file=/usr/local/lib/flightbook/pg_hba.conf -c wal_log_hints=on -c wal_keep_size=1GB
