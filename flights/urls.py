from __future__ import annotations

from django.urls import path

from flights import views

urlpatterns = [
    path("search-flights", views.SearchFlightsView.as_view()),
    path("flight-updates", views.FlightUpdatesBatchView.as_view()),
    path("flight-messages", views.FlightMessagesView.as_view()),
    path("flights/<str:flight_id>", views.FlightView.as_view()),
    path("flights/<str:flight_id>/seats", views.SeatMapView.as_view()),
    path("flights/<str:flight_id>/updates", views.FlightUpdatesView.as_view()),
]
