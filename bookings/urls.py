from __future__ import annotations

from django.urls import path

from bookings.views import (
    BookFlight,
    BookingInFull,
    Bookings,
    CancelBooking,
    ChangeBooking,
    ChooseSeats,
    CorrectName,
    PayBooking,
    QuoteCancellation,
    QuoteChange,
    StripeEvents,
)

urlpatterns = [
    path("book-flight", BookFlight.as_view()),
    path("pay-booking", PayBooking.as_view()),
    path("cancellation-quotes", QuoteCancellation.as_view()),
    path("cancel-booking", CancelBooking.as_view()),
    path("change-quotes", QuoteChange.as_view()),
    path("change-booking", ChangeBooking.as_view()),
    path("choose-seats", ChooseSeats.as_view()),
    path("correct-name", CorrectName.as_view()),
    path("payment-events/stripe", StripeEvents.as_view()),
    path("bookings/<str:user_id>", Bookings.as_view()),
    path("bookings/<str:user_id>/<str:booking_id>", BookingInFull.as_view()),
]
