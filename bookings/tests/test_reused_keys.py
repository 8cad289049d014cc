"""A used key with another body, however bad that one is."""

from __future__ import annotations

import pytest

from bookings.tests.factories import Traveller, new_key
from bookings.tests.test_idempotency import code
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


class TestAnotherBodyThatIsBad:
    """Whatever is wrong with it, it is another one."""

    def test_a_bad_field(self) -> None:
        traveller, flight, key = Traveller(), make_flight(), new_key()
        traveller.book(flight, key=key)

        assert code(traveller.book(flight, cabin="steerage", key=key)) == (422, "idempotency_key_reused")

    def test_no_json(self) -> None:
        traveller, flight, key = Traveller(), make_flight(), new_key()
        traveller.book(flight, key=key)

        answer = traveller.client.post(
            "/book-flight", data="{", content_type="application/json", headers={"Idempotency-Key": key}
        )
        assert code(answer) == (422, "idempotency_key_reused")
