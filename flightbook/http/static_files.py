"""Static files through whitenoise, under WSGI and ASGI alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """Whitenoise without streaming: under ASGI Django reads a file whole anyway, and warns of it."""

    def add_files(self, root: str | Path, prefix: str | None = None) -> None:
        """Those of `root`, which is not there before `collectstatic`: the finders serve then."""
        if Path(root).is_dir():
            super().add_files(root, prefix)  # type: ignore[no-untyped-call]

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:  # type: ignore[override]  # as whitenoise itself
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file as file:
                content = file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        return response
