"""Routes of subscriptions' endpoints; the WebSocket's is in `routing`."""

from __future__ import annotations

from django.urls import path

from subscriptions import views

urlpatterns = [
    path("subscribe-flight", views.SubscribeFlightView.as_view(), name="subscribe-flight"),
    path("user-flights/<str:user_id>", views.UserFlightsView.as_view(), name="user-flights"),
    path("user-flights/<str:user_id>/<str:flight_id>", views.UserFlightView.as_view(), name="user-flight"),
]
