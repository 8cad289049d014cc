"""All routes: each app's own, and the project's pages, documents and health."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("bookings.urls")),  # first, since all are compared until one fits
    path("", include("flights.urls")),
    path("", include("subscriptions.urls")),
    path("", include("accounts.urls")),
    path("", include("flightbook.site_urls")),
    path("admin/", admin.site.urls),
]

handler400 = "flightbook.http.problems.bad_request"
handler403 = "flightbook.http.problems.forbidden"
handler404 = "flightbook.http.problems.not_found"
handler500 = "flightbook.http.problems.server_error"
