"""Several statements in one message, plain and prepared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, connections, transaction

from accounts.models import Mail
from accounts.public import mail_to_queue
from flightbook.errors import constraint_name
from flightbook.statements import Statement, one_row, run

pytestmark = pytest.mark.django_db
_READ = Statement(
    "UPDATE accounts_mail SET attempts = %(n)s WHERE key = %(key)s AND %(n)s > 0", {"n": 2, "key": "a"}
)


@pytest.fixture(params=["plain", "prepared"], autouse=True)
def _form(request: pytest.FixtureRequest) -> Iterator[None]:
    wrapper: Any = connections[DEFAULT_DB_ALIAS]
    before, wrapper.prepared = wrapper.prepared, {} if request.param == "prepared" else None
    yield
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    wrapper.prepared = before


def mail(key: str) -> Statement:
    return mail_to_queue(key=key, to="a@example.com", subject=f"100% {key}", text="$1 %s")


def test_in_their_order_with_the_rows_of_the_last() -> None:
    found = run(
        [mail("a"), mail("b"), Statement("SELECT key, subject, text FROM accounts_mail ORDER BY key")]
    )

    assert found == [("a", "100% a", "$1 %s"), ("b", "100% b", "$1 %s")]


def test_again_it_does_the_same() -> None:
    for _ in range(7):  # from the sixth time on PostgreSQL may keep a plan
        assert run([mail("a"), one_row(_READ, name="known")])
    assert Mail.objects.get().attempts == 2


def test_what_is_not_one_row_undoes_all() -> None:
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        run([mail("b"), one_row(_READ, name="known")])

    assert constraint_name(caught.value) == "known"
    assert not Mail.objects.exists()
