"""The limit in pure Python: a broadcast on the `websockets` library. `python -m bench.updates.raw PORT`"""

from __future__ import annotations

import asyncio
import os
import sys

from redis.asyncio import Redis
from websockets.asyncio.server import ServerConnection, broadcast, serve

CHANNEL = "bench.broadcast"


async def main(port: int) -> None:
    connections: set[ServerConnection] = set()

    async def keep(connection: ServerConnection) -> None:
        connections.add(connection)
        try:
            await connection.wait_closed()
        finally:
            connections.discard(connection)

    redis = Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None)
    async with (
        serve(keep, "127.0.0.1", port, compression=None, ping_interval=None, backlog=4096),
        redis.pubsub() as heard,
    ):
        await heard.subscribe(CHANNEL)
        async for message in heard.listen():
            if message["type"] == "message":
                broadcast(connections, message["data"].decode())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
