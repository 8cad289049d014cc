"""The ASGI application for WebSockets, to be put under `ProtocolTypeRouter`'s ``websocket``."""

from __future__ import annotations

from typing import Any

from channels.routing import URLRouter
from django.urls import path, re_path

from subscriptions.consumers import flight_updates


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """No socket is at this path: closed before it is accepted, which a client sees as HTTP 403."""
    await receive()
    await send({"type": "websocket.close"})


websocket_application: Any = URLRouter(  # type: ignore[no-untyped-call]
    [
        path("ws/flight-updates", flight_updates),  # type: ignore[arg-type]  # Channels takes ASGI applications
        re_path(r"", refuse),  # type: ignore[arg-type]  # for views
    ]
)
