# Sets `master` to the master's address: by the word of a Sentinel, or else of a Redis that is one; empty where nobody says so.
find_master() {
  master=
  for sentinel in sentinel1 sentinel2 sentinel3; do
    master=$(timeout 2 redis-cli -h "$sentinel" -p 26379 --raw sentinel get-master-addr-by-name flightbook 2>/dev/null | grep -m 1 -E '^[0-9a-f.:]+$') && return
  done
  for node in redis redis2; do
    if timeout 2 redis-cli -h "$node" --raw role 2>/dev/null | grep -q '^master$'; then
      master=$(getent hosts "$node" | cut -d ' ' -f 1)
      return
    fi
  done
}
