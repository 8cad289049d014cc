from __future__ import annotations

from django.urls import path

from bookings.views import BookFlight, BookingInFull, Bookings, CancelBooking, PayBooking

urlpatterns = [
    path("book-flight", BookFlight.as_view()),
    path("pay-booking", PayBooking.as_view()),
    path("cancel-booking", CancelBooking.as_view()),
    path("bookings/<str:user_id>", Bookings.as_view()),
    path("bookings/<str:user_id>/<str:booking_id>", BookingInFull.as_view()),
]
