#!/bin/sh
# Entry point of a Sentinel (docker-compose.sentinels.yml). It keeps what it learns in its own file, so that only the first start writes it. Names, not
# addresses: a container that comes back has another.
set -eu
if [ ! -s /data/sentinel.conf ]; then
  cat >/data/sentinel.conf <<END
port 26379
dir /data
protected-mode no
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $SENTINEL
sentinel announce-port 26379
sentinel monitor flightbook redis 6379 2
sentinel down-after-milliseconds flightbook 2000
sentinel failover-timeout flightbook 10000
END
fi
chown -R redis /data
exec docker-entrypoint.sh redis-server /data/sentinel.conf --sentinel
