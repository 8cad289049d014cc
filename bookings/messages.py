"""How bookings read outside: the design's members first, then what was added to them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bookings.types import (
    BookingLine,
    BookingView,
    CancelledView,
    ChangedView,
    ChangePrice,
    ChangeQuoteView,
    ChargeDue,
    ChargeView,
    CouponView,
    DisruptionView,
    Due,
    PassengerView,
    QuoteView,
    SeatedView,
    SegmentView,
)


def booked_message(booking: BookingView) -> dict[str, Any]:
    """The answer to a booking and to a hold's payment."""
    return {
        "message": "Flight booked successfully",
        "bookingId": booking.booking_id,
        "flightId": booking.segments[0].flight.flight_id,
        "price": booking.total,
        "recordLocator": booking.record_locator,
        "status": booking.status,
        "currency": booking.currency,
        **_due(booking),
        "passengers": [_passenger(passenger) for passenger in booking.passengers],
        "flights": [_flight(segment) for segment in booking.segments],
        "charges": [_charge(charge, booking.currency) for charge in booking.charges],
    }


def corrected_message(booking: BookingView) -> dict[str, Any]:
    """The answer to a corrected name."""
    return {**booked_message(booking), "message": "Name corrected successfully"}


def change_quote_message(quote: ChangeQuoteView) -> dict[str, Any]:
    """What a change comes to, and until when."""
    return {
        "message": "Change quoted successfully",
        "quoteId": quote.quote_id,
        "bookingId": quote.booking_id,
        "flightId": quote.price.flight.flight_id,
        **_change_price(quote.price),
        "expiresAt": quote.expires_at,
    }


def changed_message(changed: ChangedView) -> dict[str, Any]:
    """The booking after a change."""
    return {
        **booked_message(changed.booking),
        "message": "Flight changed successfully",
        "change": _change_price(changed.price),
    }


def seated_message(seated: SeatedView) -> dict[str, Any]:
    """The booking after seats were chosen."""
    return {
        **booked_message(seated.booking),
        "message": "Seats chosen successfully",
        "amountPaid": seated.amount_paid,
    }


def _change_price(price: ChangePrice) -> dict[str, Any]:
    return {
        "newFlightId": price.new_flight.flight_id,
        "cabin": price.cabin,
        "fare": price.fare,
        "farePrice": price.unit_price,
        "fareDifference": price.fare_difference,
        "changeFee": price.change_fee,
        "chargesBack": price.charges_back,
        "amountDue": price.amount_due,
        "refund": price.refund,
        "total": price.total,
        "currency": price.currency,
        "reason": price.reason,
        "source": price.source,
    }


def cancelled_message(cancelled: CancelledView) -> dict[str, Any]:
    return {
        "message": "Booking canceled successfully",
        "bookingId": cancelled.booking_id,
        "status": cancelled.status,
        "refund": {"amount": cancelled.refund, "currency": cancelled.currency, "reason": cancelled.reason},
        "passengers": cancelled.passengers,
        **_pieces(cancelled.due),
    }


def quote_message(quote: QuoteView) -> dict[str, Any]:
    """What a cancellation would bring back, and until when."""
    return {
        "message": "Cancellation quoted successfully",
        "quoteId": quote.quote_id,
        "bookingId": quote.booking_id,
        "refund": {"amount": quote.due.amount, "currency": quote.currency, "reason": quote.due.reason},
        "passengers": quote.passengers,
        **_pieces(quote.due),
        "expiresAt": quote.expires_at,
    }


def _pieces(back: Due) -> dict[str, Any]:
    """What comes back of each part of the price, and by which rule."""
    return {
        "perCoupon": [
            {
                "flightId": coupon.flight_id,
                "passenger": coupon.passenger,
                "price": coupon.price,
                "refunded": coupon.refunded,
                "rule": coupon.rule,
                "source": coupon.source,
            }
            for coupon in back.coupons
        ],
        "perCharge": [
            {
                "kind": charge.kind,
                "detail": charge.detail,
                **_about(charge),
                "amount": charge.amount,
                "refunded": charge.refunded,
                "rule": charge.rule,
                "source": charge.source,
            }
            for charge in back.charges
        ],
    }


def _about(charge: ChargeView | ChargeDue) -> dict[str, Any]:
    about = {"flightId": charge.flight_id, "passenger": charge.passenger}
    return {name: value for name, value in about.items() if value is not None}


def line_message(line: BookingLine) -> dict[str, Any]:
    """One booking of a list."""
    return {
        "bookingId": line.booking_id,
        "flightId": line.flight_ids[0],
        "status": line.status,
        "departure": line.departure,
        "recordLocator": line.record_locator,
        "price": line.total,
        "currency": line.currency,
        "flights": line.flight_ids,
    }


def booking_message(user_id: str, booking: BookingView) -> dict[str, Any]:
    """One booking in full."""
    return {
        "userId": user_id,
        "bookingId": booking.booking_id,
        "flightId": booking.segments[0].flight.flight_id,
        "status": booking.status,
        "departure": booking.segments[0].flight.departure,
        "price": booking.total,
        "currency": booking.currency,
        "recordLocator": booking.record_locator,
        "createdAt": booking.created_at,
        "paymentMethod": booking.payment_method,
        **_due(booking),
        "passengers": [_passenger(passenger) for passenger in booking.passengers],
        "flights": [_flight(segment) for segment in booking.segments],
        "payments": [
            {
                "status": payment.state,
                "amount": payment.amount,
                "currency": payment.currency,
                "createdAt": payment.created_at,
            }
            for payment in booking.payments
        ],
        "refunds": [
            {
                "status": refund.state,
                "amount": refund.amount,
                "currency": booking.currency,
                "reason": refund.reason,
                "createdAt": refund.created_at,
            }
            for refund in booking.refunds
        ],
        "charges": [_charge(charge, booking.currency) for charge in booking.charges],
        "disruptions": [_disruption(disruption) for disruption in booking.disruptions],
    }


def _disruption(disruption: DisruptionView) -> dict[str, Any]:
    until = {} if disruption.choice_until is None else {"choiceUntil": disruption.choice_until}
    return {
        "kind": disruption.kind,
        "flightId": disruption.flight_id,
        "status": disruption.state,
        "entitlements": [_entitlement(entitlement) for entitlement in disruption.entitlements],
        **until,
        "createdAt": disruption.created_at,
    }


def _entitlement(stored: dict[str, Any]) -> dict[str, Any]:
    money = {"amount": Decimal(stored["amount"])} if "amount" in stored else {}
    return stored | money


def _due(booking: BookingView) -> dict[str, Any]:
    return {} if booking.payment_due_by is None else {"paymentDueBy": booking.payment_due_by}


def _passenger(passenger: PassengerView) -> dict[str, Any]:
    cancelled = {"isCancelled": True} if passenger.is_cancelled else {}
    return {
        "givenName": passenger.given_name,
        "familyName": passenger.family_name,
        "type": passenger.type,
        **cancelled,
    }


def _coupon(coupon: CouponView) -> dict[str, Any]:
    ticket = {"ticketNumber": coupon.ticket_number, "couponNumber": coupon.coupon_number}
    return {
        "passenger": coupon.passenger,
        "price": coupon.price,
        "status": coupon.status,
        "refunded": coupon.refunded,
        **(ticket if coupon.ticket_number else {}),
    }


def _charge(charge: ChargeView, currency: str) -> dict[str, Any]:
    return {
        "kind": charge.kind,
        "amount": charge.amount,
        "currency": currency,
        "refunded": charge.refunded,
        "detail": charge.detail,
        **_about(charge),
    }


def _flight(segment: SegmentView) -> dict[str, Any]:
    flight = segment.flight
    return {
        "flightId": flight.flight_id,
        "flightNumber": flight.flight_number,
        "from": flight.origin,
        "to": flight.destination,
        "departure": flight.departure,
        "arrival": flight.arrival,
        "departureLocal": flight.departure.astimezone(ZoneInfo(flight.origin_time_zone)).isoformat(),
        "arrivalLocal": flight.arrival.astimezone(ZoneInfo(flight.destination_time_zone)).isoformat(),
        "status": flight.status,
        "cabin": segment.cabin,
        "fare": segment.fare,
        "price": segment.price,
        "refundable": segment.refundable,
        "changeFee": segment.change_fee,
        "seats": [{"passenger": index, "seat": segment.seats[index]} for index in sorted(segment.seats)],
        "coupons": [_coupon(coupon) for coupon in segment.coupons],
    }
