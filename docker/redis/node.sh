#!/bin/sh
# Entry point of a Redis that Sentinels watch (docker-compose.sentinels.yml): before it starts, it asks who the master is. One that was the master and comes
# back begins as a replica. By addresses and not by names: the name of a container that is gone takes seconds to be found missing, and a Sentinel waits for that.
set -eu
. /usr/local/lib/flightbook/find_master.sh

own=$(hostname -i)
looks=0
while :; do
  find_master
  if [ "$master" = "$own" ]; then
    break # it restarted before anybody missed it
  elif [ -n "$master" ] && [ "$(timeout 2 redis-cli -h "$master" ping)" = PONG ]; then
    set -- "$@" --replicaof "$master" 6379
    break
  elif [ -z "$master" ] && [ "$REDIS_NODE" = redis ] && [ "$looks" -ge 2 ]; then
    break # the first start of all
  fi
  looks=$((looks + 1))
  echo "$REDIS_NODE: waiting for a master${master:+ in place of $master}" >&2
  sleep 1
done
chown redis /data # a replica takes in what its master has by a file there
exec docker-entrypoint.sh "$@" --repl-diskless-sync-delay 0
