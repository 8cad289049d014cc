"""See the package's docstring."""

from __future__ import annotations

import argparse

from bench.gateway.bank import Bank
from bench.gateway.faults import Faults
from bench.gateway.server import GatewayServer
from bench.gateway.webhooks import Webhooks


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway")
    parser.add_argument("--port", type=int, default=8210, help="0 for any")
    parser.add_argument("--ledger", required=True, help="the SQLite file of its book")
    parser.add_argument("--webhook", default="", help="where to send events")
    parser.add_argument("--secret", default="whsec_test", help="what signs them")
    parser.add_argument("--faults", default="", help="name=rate,name=rate")
    options = parser.parse_args()
    faults = Faults(dict(_rate(part) for part in options.faults.split(",") if part))
    bank, webhooks = Bank(options.ledger, faults), Webhooks(options.webhook, options.secret, faults)
    server = GatewayServer(options.port, bank, faults, webhooks)
    print(f"gateway: http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
    server.serve_forever()


def _rate(part: str) -> tuple[str, float]:
    name, _, rate = part.partition("=")
    return name, float(rate)


if __name__ == "__main__":
    main()
