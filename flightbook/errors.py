"""The errors of the contract. Operations raise them; `flightbook.http` gives them their form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class FieldError:
    """One field's error. `pointer` is an RFC 6901 pointer into the body, or a query parameter's name."""

    pointer: str
    code: str
    detail: str


@dataclass(eq=False)
class Problem(Exception):
    """An RFC 9457 problem. Subclasses fix `status`, `code` and `title`; `extra` is added to the document."""

    detail: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    retry_after: int | None = None

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "The server failed"

    def __str__(self) -> str:
        return self.detail or self.title


@dataclass(eq=False)
class Invalid(Problem):
    errors: Sequence[FieldError] = ()

    status = 400
    code = "invalid"
    title = "The request is not valid"

    @classmethod
    def of(cls, pointer: str, code: str, detail: str) -> Invalid:
        return cls(detail=detail, errors=[FieldError(pointer, code, detail)])


class NotAuthenticated(Problem):
    status, code, title = 401, "not_authenticated", "Authentication is required"


class TokenInvalid(Problem):
    status, code, title = 401, "token_invalid", "The token is not valid"


class InvalidCredentials(Problem):
    status, code, title = 401, "invalid_credentials", "The username or password is wrong"


class PaymentDeclined(Problem):
    status, code, title = 402, "payment_declined", "The payment was declined"


class Forbidden(Problem):
    status, code, title = 403, "forbidden", "You lack the permission for this"


class NotFound(Problem):
    status, code, title = 404, "not_found", "There is no such thing"


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", "This method is not allowed here"


class NotAcceptable(Problem):
    status, code, title = 406, "not_acceptable", "No acceptable representation"


class Conflict(Problem):
    status = 409


class SoldOut(Conflict):
    code, title = "sold_out", "Too few seats are left"


class SeatTaken(Conflict):
    code, title = "seat_taken", "The seat is taken"


class PriceChanged(Conflict):
    code, title = "price_changed", "The price has changed"


class FlightDeparted(Conflict):
    code, title = "flight_departed", "The flight has left or is closed for sale"


class FlightCancelled(Conflict):
    code, title = "flight_cancelled", "The flight is cancelled"


class AlreadyCancelled(Conflict):
    code, title = "already_cancelled", "The booking is already cancelled"


class NotCancellable(Conflict):
    code, title = "not_cancellable", "The booking can no longer be cancelled"


class NotChangeable(Conflict):
    code, title = "not_changeable", "The booking cannot be changed so"


class QuoteExpired(Conflict):
    code, title = "quote_expired", "The quote no longer holds"


class HoldLimit(Conflict):
    code, title = "hold_limit", "Too many open holds"


class HoldExpired(Conflict):
    code, title = "hold_expired", "The hold has expired"


class InvalidTransition(Conflict):
    code, title = "invalid_transition", "Its present state does not allow this"


class UsernameTaken(Conflict):
    code, title = "username_taken", "The username is taken"


class EmailTaken(Conflict):
    code, title = "email_taken", "The e-mail address is registered already"


class RequestInProgress(Conflict):
    code, title = "request_in_progress", "The first request under this key is still running"


class TooLarge(Problem):
    status, code, title = 413, "too_large", "The request is too large"


class UnsupportedMediaType(Problem):
    status, code, title = 415, "unsupported_media_type", "Send JSON as application/json"


class IdempotencyKeyReused(Problem):
    status, code, title = 422, "idempotency_key_reused", "The key was used for another request"


class Throttled(Problem):
    status, code, title = 429, "throttled", "Too many requests"


class Unavailable(Problem):
    status, code, title = 503, "unavailable", "Try again later"


class InternalError(Problem):
    pass


def constraint_name(error: BaseException) -> str | None:
    """The name of the database constraint that `error` (a `django.db.IntegrityError`) tells of, or None."""
    diagnostics = getattr(error.__cause__, "diag", None)
    name = getattr(diagnostics, "constraint_name", None)
    return name if isinstance(name, str) else None
