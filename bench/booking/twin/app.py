"""The same `POST /book-flight` as somebody would write it on FastAPI and asyncpg: the bench's measure of what
our framework costs.

It keeps the rules of the product on the product's own tables: token and session are checked, calls counted a
minute in Redis, the body validated, the key's row with its lease and the payment attempt committed before the
sandbox's book is written, the sale in one transaction with its answer under the lease, the claim last. The
auditor looks at it as at ours. It leaves out what the bench never asks for: holds, chosen seats, several
flights, a second round at the next fare, taking over a dead owner.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import secrets
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import asyncpg
import jwt
import orjson
import redis.asyncio as redis
from cryptography.hazmat.primitives import serialization
from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from bench.booking.twin import sql

LEASE = dt.timedelta(seconds=30)
LIMIT = int(os.environ["RATE_LIMIT_SALE"])
_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"
_LOCATORS = "ACDEFGHJKMNPQRTWXY34679"
_FLIGHT = re.compile(r"FL([1-9][0-9]{0,18})", re.ASCII)
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
_KEYS = {
    path.name.removesuffix(".public.pem"): serialization.load_pem_public_key(path.read_bytes())
    for path in Path(os.environ["TOKEN_KEYS_DIR"]).glob("*.public.pem")
}


class Refused(Exception):
    def __init__(self, status: int, code: str, *, kept: bool = False) -> None:
        super().__init__(code)
        self.status, self.code, self.kept = status, code, kept

    def body(self) -> bytes:
        return orjson.dumps({"title": self.code, "status": self.status, "code": self.code})


class Order(BaseModel):
    model_config = ConfigDict(strict=True)

    user_id: Annotated[str, Field(alias="userId", min_length=1, max_length=40)]
    flight_id: Annotated[str, Field(alias="flightId", min_length=1, max_length=40)]
    payment_method: Annotated[Literal["credit_card", "debit_card"], Field(alias="paymentMethod")]
    cabin: Literal["economy", "premium_economy", "business", "first"] = "economy"
    fare: Annotated[str, Field(min_length=1, max_length=8)] | None = None
    expected_price: Annotated[Decimal | None, Field(alias="expectedPrice", ge=0)] = None
    payment_token: Annotated[str, Field(alias="paymentToken", max_length=200)] = ""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = urlsplit(os.environ["DATABASE_URL"])
    size = int(os.environ["POOL"])
    app.state.pool = await asyncpg.create_pool(
        host=parse_qs(url.query)["host"][0],
        user=url.username,
        database=url.path.strip("/"),
        min_size=size,
        max_size=size,
        server_settings={"statement_timeout": "30s", "lock_timeout": "5s"},
    )
    app.state.redis = redis.Redis.from_url(os.environ["REDIS_URL"])
    yield
    await app.state.redis.aclose()
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)


@app.exception_handler(Refused)
async def refused(request: Request, problem: Refused) -> Response:
    return Response(problem.body(), status_code=problem.status, media_type="application/problem+json")


@app.get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "up"}


def claims(authorization: Annotated[str, Header()] = "") -> dict[str, Any]:
    scheme, _, token = authorization.partition(" ")
    try:
        key = _KEYS[jwt.get_unverified_header(token)["kid"]]
        found: dict[str, Any] = jwt.decode(
            token,
            key,  # type: ignore[arg-type]
            algorithms=["ES256"],
            audience="flightbook",
            issuer="flightbook",
            options={"require": ["exp", "iat", "sub", "sid", "jti"]},
        )
    except (jwt.PyJWTError, KeyError) as error:
        raise Refused(401, "token_invalid") from error
    if scheme.lower() != "bearer" or found.get("token_type") != "access":
        raise Refused(401, "token_invalid")
    return found


@app.post("/book-flight")
async def book_flight(
    request: Request,
    order: Order,
    token: Annotated[dict[str, Any], Depends(claims)],
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    if idempotency_key is not None and not _VISIBLE.fullmatch(idempotency_key):
        raise Refused(400, "invalid")
    body = await request.body()
    fingerprint = hashlib.sha256(b"POST\n/book-flight\n" + body).hexdigest()
    async with request.app.state.pool.acquire() as connection:
        user = await connection.fetchrow(sql.SESSION, token["sid"])
        if user is None or user["public_id"] != token["sub"]:
            raise Refused(401, "token_invalid")
        left = await _count(request.app.state.redis, user["id"])
        if order.user_id != user["public_id"]:
            raise Refused(404, "not_found")
        sale = Sale(connection, user, order, idempotency_key, fingerprint)
        answer = await sale.run()
    headers = {"RateLimit": f'"sale";r={left}', "Cache-Control": "no-store"}
    return Response(answer, status_code=201, media_type="application/json", headers=headers)


async def _count(counters: redis.Redis, user_pk: int) -> int:
    name = f"twin:sale:{int(time.time() // 60)}:{user_pk}"
    async with counters.pipeline(transaction=False) as pipeline:
        pipeline.incr(name)
        pipeline.expire(name, 120)
        count = int((await pipeline.execute())[0])
    if count > LIMIT:
        raise Refused(429, "throttled")
    return LIMIT - count


class Sale:
    """One booking by one request."""

    def __init__(self, connection: Any, user: Any, order: Order, key: str | None, fingerprint: str) -> None:
        self.connection, self.user, self.order = connection, user, order
        self.key, self.fingerprint, self.token = key or uuid.uuid4().hex, fingerprint, uuid.uuid4()

    async def run(self) -> bytes:
        offer = await self._quote()
        attempt = await self._begin(offer)
        await self._authorise(attempt, offer)
        return await self._sell(offer, attempt)

    async def _quote(self) -> Any:
        match = _FLIGHT.fullmatch(self.order.flight_id)
        rows = await self.connection.fetch(sql.ON_OFFER, int(match[1]), self.order.cabin) if match else []
        if not rows:
            raise Refused(404, "not_found")
        if rows[0]["status"] == "Cancelled":
            raise Refused(409, "flight_cancelled")
        if rows[0]["status"] in ("Departed", "Landed", "Diverted"):
            raise Refused(409, "flight_departed")
        for offer in rows:
            if offer["seats_left"] and self.order.fare in (None, offer["code"]):
                if self.order.expected_price not in (None, offer["price"]):
                    raise Refused(409, "price_changed")
                return offer
        raise Refused(409, "sold_out")

    async def _begin(self, offer: Any) -> Any:
        attempt = await self.connection.fetchrow(
            sql.BEGIN,
            *(self.user["id"], self.key, self.fingerprint, LEASE, self.token),
            *(uuid.uuid4(), self.order.payment_token, offer["price"], offer["currency"]),
        )
        if attempt is not None:
            return attempt
        known = await self.connection.fetchrow(sql.KEY, self.user["id"], self.key)
        if known["fingerprint"] != self.fingerprint:
            raise Refused(422, "idempotency_key_reused")
        raise Refused(409, "request_in_progress")

    async def _authorise(self, attempt: Any, offer: Any) -> None:
        state = "authorised" if self.order.payment_token in ("", "tok_success") else "declined"
        await self.connection.execute(
            sql.AUTHORISE,
            *(attempt["key"], self.order.payment_token, offer["price"], offer["currency"], state),
        )
        if state == "declined":
            raise Refused(402, "payment_declined")

    async def _sell(self, offer: Any, attempt: Any) -> bytes:
        booking_id = "bkg" + "".join(secrets.choice(_ALPHABET) for _ in range(12))
        locator = "".join(secrets.choice(_LOCATORS) for _ in range(6))
        ticket = f"{offer['ticketing_code']}{attempt['serial']:010}"
        person = (self.user["given_name"], self.user["family_name"] or self.user["username"])
        answer = self._answer(offer, booking_id, locator, ticket, person)
        letter = self._letter(offer, booking_id, locator, person)
        async with self.connection.transaction():
            sold = await self.connection.fetchval(
                sql.SELL,
                *(answer, self.user["id"], self.key, self.token),
                *(booking_id, locator, offer["price"], offer["currency"], self.order.payment_method),
                *(f"sandbox-{attempt['key']}", attempt["id"], *person, offer["id"]),
                *(offer["cabin"], offer["code"], offer["refundable"], offer["change_fee"]),
                *(ticket, attempt["serial"] % 7, f"booking:{booking_id}:confirmed", self.user["email"]),
                *(f"Your booking is confirmed: {locator}", letter),
            )
            if sold is None:
                raise Refused(409, "request_in_progress")
            claimed = await self.connection.execute(
                sql.CLAIM, offer["id"], offer["cabin"], offer["code"], offer["price"]
            )
            if claimed != "UPDATE 1":
                raise Refused(409, "sold_out")
        return answer

    def _answer(
        self, offer: Any, booking_id: str, locator: str, ticket: str, person: tuple[str, str]
    ) -> bytes:
        passenger = {"givenName": person[0], "familyName": person[1], "type": "adult"}
        zones = offer["origin_zone"], offer["destination_zone"]
        moments = offer["departure"], offer["arrival"]
        local = [at.astimezone(ZoneInfo(zone)) for at, zone in zip(moments, zones, strict=True)]
        return orjson.dumps(
            {
                "message": "Flight booked successfully",
                "bookingId": booking_id,
                "flightId": self.order.flight_id,
                "price": float(offer["price"]),
                "recordLocator": locator,
                "status": "Confirmed",
                "currency": offer["currency"],
                "passengers": [passenger],
                "flights": [
                    {
                        "flightId": self.order.flight_id,
                        "flightNumber": offer["designator"],
                        "from": offer["origin"],
                        "to": offer["destination"],
                        "departure": moments[0],
                        "arrival": moments[1],
                        "departureLocal": local[0],
                        "arrivalLocal": local[1],
                        "status": offer["status"],
                        "cabin": offer["cabin"],
                        "fare": offer["code"],
                        "price": float(offer["price"]),
                        "refundable": offer["refundable"],
                        "changeFee": offer["change_fee"] and float(offer["change_fee"]),
                        "seats": [],
                        "tickets": [{"passenger": 0, "ticketNumber": ticket, "couponNumber": 1}],
                    }
                ],
            }
        )

    def _letter(self, offer: Any, booking_id: str, locator: str, person: tuple[str, str]) -> str:
        leaves = offer["departure"].astimezone(ZoneInfo(offer["origin_zone"]))
        arrives = offer["arrival"].astimezone(ZoneInfo(offer["destination_zone"]))
        return (
            f"Paid: {offer['price']:.2f} {offer['currency']}.\n\n"
            f"Record locator {locator}, booking {booking_id}\n"
            f"Total {offer['price']:.2f} {offer['currency']}\n\n"
            f"{offer['designator']}  {offer['airline']}  {offer['cabin']}, fare {offer['code']}\n"
            f"  {offer['origin']} {offer['origin_city']}  {leaves:%a %d %b %Y %H:%M}\n"
            f"  {offer['destination']} {offer['destination_city']}  {arrives:%a %d %b %Y %H:%M}\n\n"
            f"Travelling:\n  {person[0]} {person[1]} (adult)\n\nAll times are local.\n"
        )
