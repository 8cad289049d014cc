"""ASGI: HTTP through Django, bounded; WebSockets through Channels."""

from __future__ import annotations

import os
from typing import Any

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
_django = get_asgi_application()  # before what follows: it sets the apps up

from django.conf import settings  # noqa: E402

from flightbook import instruments, tracing  # noqa: E402
from flightbook.http.concurrency import ConcurrencyLimit, Receive, Scope, Send  # noqa: E402
from subscriptions.routing import websocket_application  # noqa: E402

instruments.places.set(settings.HTTP_CONCURRENCY)
_router: Any = ProtocolTypeRouter(  # type: ignore[no-untyped-call]
    {
        "http": ConcurrencyLimit(
            _django,
            places=settings.HTTP_CONCURRENCY,
            wait_seconds=settings.HTTP_QUEUE_SECONDS,
            exempt=("/health/live",),
        ),
        "websocket": websocket_application,
    }
)
tracing.begin()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The routed application, always at the root.

    daphne lets any client move it, by a `Daphne-Root-Path` header; a path that the gateway keeps to itself
    would then be reached under another name.
    """
    await _router(dict(scope, root_path=""), receive, send)
