"""Routes of subscriptions' endpoints; the WebSocket's is in `routing`."""

from __future__ import annotations

from django.urls import path

from subscriptions import views

urlpatterns = [
    path("subscribe-flight", views.SubscribeFlightView.as_view(), name="subscribe-flight"),
    path("user-flights/<str:user_id>", views.UserFlightsView.as_view(), name="user-flights"),
    path("webhooks", views.WebhooksView.as_view()),
    path("webhooks/<str:webhook_id>", views.WebhookView.as_view()),
    path("webhooks/<str:webhook_id>/test", views.WebhookTestView.as_view()),
    path("webhooks/<str:webhook_id>/rotate-secret", views.WebhookSecretView.as_view()),
    path("webhooks/<str:webhook_id>/deliveries", views.WebhookDeliveriesView.as_view()),
    path("user-flights/<str:user_id>/<str:flight_id>", views.UserFlightView.as_view(), name="user-flight"),
]
