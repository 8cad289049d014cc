"""The project's own routes."""

from __future__ import annotations

from django.urls import path

from flightbook.asyncapi import asyncapi
from flightbook.board import board_page
from flightbook.metrics import metrics
from flightbook.openapi import docs, openapi
from flightbook.pages import search_page, status_page
from flightbook.service_views import LiveView, ReadyView

urlpatterns = [
    path("", search_page),
    path("board", board_page),
    path("status", status_page),
    path("docs/", docs),
    path("openapi.json", openapi),
    path("asyncapi.json", asyncapi),
    path("metrics", metrics),
    path("health/live", LiveView.as_view()),
    path("health/ready", ReadyView.as_view()),
]
