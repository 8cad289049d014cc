"""`GET /openapi.json`, and its page `GET /docs/`."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import etag
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

from flightbook.http.serializers import camel_case
from flightbook.pages import reading_only, with_policy

# Swagger UI sets styles on its elements, and draws its icons from data URLs.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def document() -> bytes:
    """The document of this code as JSON: it takes a second to make, and stays while the code runs."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    schema["paths"] = {camel_case(path): _with_camel_case(item) for path, item in schema["paths"].items()}
    return bytes(OpenApiJsonRenderer().render(schema, renderer_context={}))


def _with_camel_case(path_item: dict[str, Any]) -> dict[str, Any]:
    """Path parameters under the contract's names: ``{userId}`` for the view's `user_id`."""
    for operation in path_item.values():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                parameter["name"] = camel_case(parameter["name"])
    return path_item


def _etag(request: HttpRequest) -> str:
    return f'"{hashlib.sha256(document()).hexdigest()[:32]}"'


@reading_only
@etag(_etag)
def openapi(request: HttpRequest) -> HttpResponse:
    return HttpResponse(document(), content_type="application/json", headers={"Cache-Control": "no-cache"})


@reading_only
@with_policy(DOCS_POLICY)
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "flightbook/docs.html")
