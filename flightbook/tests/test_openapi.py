"""`GET /openapi.json` is a valid document of every endpoint; `GET /docs/` shows it without the internet."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.validation import validate_schema

from accounts.tests.factories import make_user

# As the contract names them. `/metrics` is for Prometheus alone.
ENDPOINTS = {
    "/register": {"post"},
    "/login": {"post"},
    "/logout": {"post"},
    "/token/refresh": {"post"},
    "/ws-ticket": {"post"},
    "/subscribe-flight": {"post"},
    "/user-flights/{userId}": {"get"},
    "/user-flights/{userId}/{flightId}": {"delete", "patch"},
    "/webhooks": {"get", "post"},
    "/webhooks/{webhookId}": {"get", "delete"},
    "/webhooks/{webhookId}/test": {"post"},
    "/webhooks/{webhookId}/rotate-secret": {"post"},
    "/webhooks/{webhookId}/deliveries": {"get"},
    "/search-flights": {"get"},
    "/flight-messages": {"post"},
    "/flight-updates": {"post"},
    "/flights/{flightId}": {"get"},
    "/flights/{flightId}/seats": {"get"},
    "/flights/{flightId}/updates": {"get", "post"},
    "/book-flight": {"post"},
    "/pay-booking": {"post"},
    "/cancel-booking": {"post"},
    "/change-quotes": {"post"},
    "/change-booking": {"post"},
    "/choose-seats": {"post"},
    "/cancellation-quotes": {"post"},
    "/correct-name": {"post"},
    "/payment-events/stripe": {"post"},
    "/bookings/{userId}": {"get"},
    "/bookings/{userId}/{bookingId}": {"get"},
    "/health/live": {"get"},
    "/health/ready": {"get"},
}
METHODS = {"get", "put", "post", "delete", "patch"}
PUBLIC = {
    "/register",
    "/login",
    "/token/refresh",
    "/search-flights",
    "/payment-events/stripe",
    "/health/live",
    "/health/ready",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    response = Client().get("/openapi.json")
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    document: dict[str, Any] = json.loads(response.content)
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(p, m, o) for p, item in document["paths"].items() for m, o in item.items() if m in METHODS]


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    # Against the specification's own JSON Schema.
    validate_schema(document)  # type: ignore[no-untyped-call]
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))


def test_all_endpoints_are_in_it(document: dict[str, Any]) -> None:
    assert {path: METHODS & set(item) for path, item in document["paths"].items()} == ENDPOINTS


def test_every_operation_has_problem_documents(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"], (path, method, status)
        assert {"400", "404", "503"} <= set(operation["responses"]), (path, method)


def test_who_needs_a_token(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    [(name, scheme)] = schemes.items()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for path, method, operation in operations(document):
        security = operation.get("security", [])
        if path in PUBLIC or (path.startswith("/flights/") and method == "get"):
            assert not security or {} in security, path
        else:
            assert security == [{name: []}], path


@pytest.mark.parametrize(
    "path",
    [
        "/book-flight",
        "/pay-booking",
        "/cancel-booking",
        "/cancellation-quotes",
        "/change-quotes",
        "/change-booking",
        "/choose-seats",
        "/correct-name",
    ],
)
def test_the_sale_takes_an_idempotency_key(document: dict[str, Any], path: str) -> None:
    operation = document["paths"][path]["post"]
    headers = {p["name"]: p for p in operation["parameters"] if p["in"] == "header"}
    assert not headers["Idempotency-Key"].get("required", False)
    assert {"409", "422"} <= set(operation["responses"])


def test_an_unchanged_document_is_not_sent_again(client: Client) -> None:
    tag = client.get("/openapi.json")["ETag"]
    assert client.get("/openapi.json", headers={"If-None-Match": tag}).status_code == 304


def test_the_page_needs_nothing_from_elsewhere(client: Client) -> None:
    response = client.get("/docs/")
    page = response.content.decode()
    assert response.status_code == 200
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "'unsafe-inline'" not in response["Content-Security-Policy"].split("script-src")[1].split(";")[0]
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert all(source.startswith(("/", "#")) and not source.startswith("//") for source in sources)
    for source in sources:
        if source.startswith("/static/"):
            assert client.get(source).status_code == 200, source


@pytest.mark.django_db
def test_admin_styles_are_served(client: Client) -> None:
    client.force_login(
        make_user(is_staff=True, is_superuser=True), "django.contrib.auth.backends.ModelBackend"
    )
    page = client.get("/admin/")
    assert page.status_code == 200
    styles = re.findall(r'href="(/static/[^"]+)"', page.content.decode())
    assert styles
    assert {client.get(style).status_code for style in styles} == {200}
