"""Serializers that take JSON's types literally, the pointers of their errors, and lists in pages."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from flightbook.errors import Invalid
from flightbook.http.pages import MAX_LIMIT, decode_cursor, encode_cursor, paginate
from flightbook.http.problems import field_errors
from flightbook.http.serializers import (
    ApiSerializer,
    ChoiceField,
    IntegerField,
    MomentField,
    MoneyField,
    StringField,
    camel_case,
    parse_query,
)


class Passenger(ApiSerializer):
    family_name = StringField(max_length=5)


class Order(ApiSerializer):
    from_ = StringField(required=False)
    party_size = IntegerField(required=False, min_value=1)
    total_price = MoneyField(required=False)
    cabin = ChoiceField(choices=["economy", "business"], required=False)
    leaves_at = MomentField(required=False)
    passengers = Passenger(many=True, required=False)


def errors_of(**data: Any) -> list[tuple[str, str]]:
    order = Order(data=data)
    order.is_valid()
    return [(error.pointer, error.code) for error in field_errors(order.errors)]


@pytest.mark.parametrize(
    ("inside", "outside"),
    [("given_name", "givenName"), ("from_", "from"), ("a", "a"), ("after_2_h", "after2H")],
)
def test_names(inside: str, outside: str) -> None:
    assert camel_case(inside) == outside


def test_a_good_body() -> None:
    order = Order(
        data={
            "from": "JFK",
            "partySize": 2,
            "totalPrice": Decimal("99.9"),
            "cabin": "economy",
            "leavesAt": "2024-09-10T08:30:00-04:00",
            "passengers": [{"familyName": "Ng"}],
        }
    )
    assert order.is_valid(), order.errors
    assert order.validated_data == {
        "from_": "JFK",
        "party_size": 2,
        "total_price": Decimal("99.90"),
        "cabin": "economy",
        "leaves_at": dt.datetime(2024, 9, 10, 12, 30, tzinfo=dt.UTC),
        "passengers": [{"family_name": "Ng"}],
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("from", 1),
        ("from", True),
        ("from", None),
        ("from", ["JFK"]),
        ("from", "a\0b"),
        ("partySize", "2"),
        ("partySize", True),
        ("partySize", Decimal("2.5")),
        ("partySize", 0),
        ("totalPrice", "99.90"),
        ("totalPrice", True),
        ("totalPrice", Decimal("99.999")),
        ("totalPrice", 10**12),
        ("totalPrice", Decimal("1e30")),
        ("cabin", "roof"),
        ("cabin", 1),
        ("cabin", ["economy"]),
        ("leavesAt", "2024-09-10"),
        ("leavesAt", "2024-09-10T08:30:00"),
        ("leavesAt", "2024-02-30T08:30:00Z"),
        ("leavesAt", "0001-01-01T00:00:00+14:00"),
        ("leavesAt", "9999-12-31T23:59:59-14:00"),
        ("leavesAt", "2024-09-10T08:30:00Z\n"),
        ("leavesAt", 1725957000),
    ],
)
def test_another_type_is_refused(name: str, value: Any) -> None:
    [(pointer, code)] = errors_of(**{name: value})
    assert pointer == f"/{name}"
    assert code


def test_pointers_lead_into_the_body() -> None:
    found = errors_of(passengers=[{"familyName": "Ng"}, {}, {"familyName": "too long"}, "Ng"])
    assert found == [
        ("/passengers/1/familyName", "required"),
        ("/passengers/2/familyName", "max_length"),
        ("/passengers/3", "invalid"),
    ]


def test_pointers_are_escaped() -> None:
    detail = serializers.ValidationError({"a/b~c": ["No."]}).detail
    assert [error.pointer for error in field_errors(detail)] == ["/a~1b~0c"]


def request(query: str) -> Request:
    return Request(APIRequestFactory().get(f"/things?{query}"))


def test_query_errors_go_by_the_parameters_name() -> None:
    with pytest.raises(Invalid) as caught:
        parse_query(Order, request("cabin=roof"))
    assert [error.pointer for error in caught.value.errors] == ["cabin"]


THINGS = list(range(1, 451))


def fetch(after: int | None, count: int) -> list[int]:
    return [thing for thing in THINGS if after is None or thing > after][:count]


def page(query: str) -> tuple[list[int], str | None]:
    found, more = paginate(request(query), fetch, lambda thing: thing)
    return list(found), more.get("next")


@pytest.mark.parametrize(("query", "sizes"), [("", [50] * 9), ("limit=200", [200, 200, 50])])
def test_pages_follow_each_other_without_a_gap(query: str, sizes: list[int]) -> None:
    pages, following = [], query
    while True:
        found, address = page(following)
        pages.append(found)
        if address is None:
            break
        assert address.startswith("/things?")
        following = urlsplit(address).query
    assert [len(found) for found in pages] == sizes
    assert [thing for found in pages for thing in found] == THINGS


def test_the_next_page_keeps_the_other_parameters() -> None:
    _, address = page("colour=red&limit=10")
    assert address is not None
    query = parse_qs(urlsplit(address).query)
    assert (query["colour"], query["limit"]) == (["red"], ["10"])


@pytest.mark.parametrize("limit", ["0", "-1", str(MAX_LIMIT + 1), "ten", "1.0", "", "٣", "9" * 5000])
def test_a_bad_limit(limit: str) -> None:
    with pytest.raises(Invalid) as caught:
        page(f"limit={limit}")
    assert [error.pointer for error in caught.value.errors] == ["limit"]


@pytest.mark.parametrize(
    "cursor", ["", "x", "a2", "azE=x", "€", "aw", "a" * 5000, encode_cursor(1)[:-1] + "!"]
)
def test_a_cursor_of_nobodys(cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_cursor(cursor)
    assert [error.pointer for error in caught.value.errors] == ["cursor"]


@pytest.mark.parametrize("key", [0, 1, 10**18 - 1])
def test_cursors(key: int) -> None:
    assert decode_cursor(encode_cursor(key)) == key
