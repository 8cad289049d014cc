"""A pytest plugin that gives each process of a parallel run its own part of the one Redis.

pytest-django gives each its own database already. This has to act before the settings are loaded, for which a
`conftest.py` and `-p` come too late: `make test` names it in `PYTEST_PLUGINS`.
"""

import os
from collections.abc import MutableMapping
from urllib.parse import parse_qsl, urlencode, urlsplit


def redis_url_of(worker: int, url: str) -> str:
    """``url`` with the number of its database raised by ``worker``."""
    address, _, query = url.partition("?")
    if address.startswith("unix:"):
        options = dict(parse_qsl(query))
        return f"{address}?{urlencode(options | {'db': int(options.get('db', 0)) + worker})}"
    parts = urlsplit(url)
    return parts._replace(path=f"/{int(parts.path.strip('/') or 0) + worker}").geturl()


def take_part(environment: MutableMapping[str, str]) -> None:
    """Points worker ``gw3`` to its part. What is published knows no databases: a prefix tells it apart."""
    name = environment.get("PYTEST_XDIST_WORKER")
    if name and environment.get("REDIS_URL"):
        environment["REDIS_URL"] = redis_url_of(int(name.removeprefix("gw")), environment["REDIS_URL"])
        environment["CHANNEL_PREFIX"] = f"flightbook-{name}"


take_part(os.environ)
