#!/bin/sh
# Entry point of a Sentinel (docker-compose.sentinels.yml). What it knew is learnt anew from the others; its id stays, or they would count it twice.
set -eu
. /usr/local/lib/flightbook/find_master.sh

find_master
until [ -n "$master" ]; do
  echo "$SENTINEL: waiting for a master" >&2
  sleep 1
  find_master
done
cat >/data/sentinel.conf <<END
port 26379
dir /data
protected-mode no
sentinel myid $(printf %s "$SENTINEL" | sha1sum | cut -c 1-40)
sentinel monitor flightbook $master 6379 2
sentinel down-after-milliseconds flightbook 2000
sentinel failover-timeout flightbook 10000
END
chown -R redis /data
exec docker-entrypoint.sh redis-server /data/sentinel.conf --sentinel
