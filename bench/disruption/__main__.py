"""A flight with 100 bookings is cancelled in the admin, while people still try to book it.

    python -m bench.disruption [--port 8230]    from the project's root; DATABASE_URL names an empty database

Starts gunicorn and two workers; books; cancels by the admin's own form, dry run first; kills a worker midway
with SIGKILL and starts another; waits for the last refund. Then every booking of the flight must be
cancelled and refunded in full, none may have slipped in, and the auditor must be content with a system at
rest. Prints what it saw, and ends with 1 where that is not so.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import django
import httpx

BOOKINGS, BOOKERS, TRAVELLERS, SEATS = 100, 6, 10, 250
PASSWORD = "a long one 4 bench"  # noqa: S105
STAFF = "bench-staff"
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}  # mail goes to the console


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8230)
    port = parser.parse_args().port
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    os.environ["LOG_LEVEL"] = "WARNING"
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ |= {f"RATE_LIMIT_{name}": "100000" for name in ("REGISTER", "LOGIN", "SALE", "DEFAULT")}
    django.setup()
    flight_id = _prepare()
    with ExitStack() as stack:
        web = _start(
            "gunicorn", "-c", "docker/gunicorn_settings.py", "-b", f"127.0.0.1:{port}", "flightbook.wsgi"
        )
        stack.callback(_end, web)
        show = Show(f"http://127.0.0.1:{port}", flight_id)
        show.wait_until_it_answers()
        workers = [_worker(), _worker()]
        stack.callback(lambda: [_end(worker) for worker in workers])
        show.book()
        show.cancel_while_people_book(workers)
        return show.verdict()


def _prepare() -> str:
    from django.core.management import call_command  # noqa: PLC0415 - needs the settings

    call_command("migrate", verbosity=0, interactive=False)
    call_command("create_token_keys", stdout=sys.stderr)
    call_command("register_consumers")
    from accounts.public import create_staff_account  # noqa: PLC0415
    from flights.tests.factories import make_flight  # noqa: PLC0415

    create_staff_account(username=STAFF, password=PASSWORD, email=f"{STAFF}@example.com")
    return make_flight(economy=SEATS).public_id


def _start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", *command], **_QUIET)  # noqa: S603


def _worker() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "manage.py", "worker"], **_QUIET)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        process.wait(timeout=40)


class Show:
    def __init__(self, base: str, flight_id: str) -> None:
        self.base, self.flight_id = base, flight_id
        self.http = httpx.Client(base_url=base, timeout=60)
        self.answers: Counter[str] = Counter()
        self.faults: list[str] = []

    def wait_until_it_answers(self) -> None:
        for _ in range(300):
            try:
                if self.http.get("/health/live").status_code == 200:  # noqa: PLR2004
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise SystemExit("It does not answer.")

    def book(self) -> None:
        with ThreadPoolExecutor(4) as pool:
            self.travellers = list(pool.map(self._traveller, range(TRAVELLERS)))
            codes = list(pool.map(lambda n: self._book(self.travellers[n % TRAVELLERS]), range(BOOKINGS)))
        print(f"booked {codes.count('201')} of {BOOKINGS} on {self.flight_id}")  # noqa: T201
        if codes.count("201") != BOOKINGS:
            self.faults.append(f"bookings: {Counter(codes)}")

    def _traveller(self, number: int) -> tuple[str, str]:
        name = f"bench{os.getpid()}x{number}"
        body = {"username": name, "password": PASSWORD, "email": f"{name}@example.com"}
        self.http.post("/register", json=body).raise_for_status()
        answer = self.http.post("/login", json={"username": name, "password": PASSWORD})
        answer.raise_for_status()
        return answer.json()["userId"], answer.json()["token"]

    def _book(self, traveller: tuple[str, str]) -> str:
        user, token = traveller
        body = {"userId": user, "flightId": self.flight_id, "paymentMethod": "credit_card"}
        answer = self.http.post("/book-flight", json=body, headers={"Authorization": f"Bearer {token}"})
        code = str(answer.status_code)
        return code if answer.is_success else f"{code} {answer.json()['code']}"

    def cancel_while_people_book(self, workers: list[subprocess.Popen[bytes]]) -> None:
        stop = threading.Event()

        def keep_booking(number: int) -> None:
            while not stop.is_set():
                self.answers[self._book(self.travellers[number])] += 1
                time.sleep(0.2)  # people, who read the answer

        with ThreadPoolExecutor(BOOKERS) as pool:
            bookers = [pool.submit(keep_booking, number) for number in range(BOOKERS)]
            time.sleep(1)
            began = self._cancel_in_the_admin()
            self._kill_midway(workers)
            self.seconds = self._wait_for_refunds(began)
            time.sleep(1)
            stop.set()
            for booker in bookers:
                booker.result()

    def _cancel_in_the_admin(self) -> float:
        """The report form, the dry run that it leads to, and that page's confirmation."""
        staff = httpx.Client(base_url=self.base, timeout=60, headers={"Referer": self.base})
        login = {"username": STAFF, "password": PASSWORD, "next": "/admin/"}
        staff.get("/admin/login/")
        staff.post("/admin/login/", data=login | {"csrfmiddlewaretoken": staff.cookies["csrftoken"]})
        address = f"/admin/flights/flight/{self.flight_id[2:]}/report/"
        form = {"status": "Cancelled", "reason": "Crew", "csrfmiddlewaretoken": staff.cookies["csrftoken"]}
        began = time.monotonic()
        preview = staff.post(address, data=form, follow_redirects=True)
        foreseen = re.search(r"<th>Bookings</th><td>(\d+)</td>", preview.text)
        refunds = re.search(r"<th>Refunds</th>\s*<td>([^<]*)</td>", preview.text)
        print(  # noqa: T201
            f"dry run in {time.monotonic() - began:.2f} s: {foreseen and foreseen[1]} bookings, "
            f"refunds {refunds and refunds[1].strip()}"
        )
        began = time.monotonic()
        staff.post(address, data=form | {"confirmed": "yes"})
        print(f"cancelled in {time.monotonic() - began:.2f} s")  # noqa: T201
        return began

    def _kill_midway(self, workers: list[subprocess.Popen[bytes]]) -> None:
        from bookings.models import Disruption  # noqa: PLC0415

        for _ in range(2000):
            if Disruption.objects.count() >= BOOKINGS // 3:
                break
            time.sleep(0.01)
        workers[-1].kill()
        workers[-1].wait()
        print(f"a worker killed after {Disruption.objects.count()} bookings; another starts")  # noqa: T201
        workers.append(_worker())

    def _wait_for_refunds(self, began: float) -> float:
        from bookings.models import Booking, PaymentAttempt, Refund  # noqa: PLC0415

        for _ in range(3000):
            live = Booking.objects.filter(status__in=("Held", "Confirmed")).count()
            refunds = Refund.objects.filter(state="requested").count()
            voids = PaymentAttempt.objects.filter(state__in=("to_void", "to_capture")).count()
            if not live and not refunds and not voids:
                return time.monotonic() - began
            time.sleep(0.1)
        self.faults.append(f"after five minutes: {live} live, {refunds} refunds and {voids} voids to go")
        return time.monotonic() - began

    def verdict(self) -> int:
        from django.core.management import call_command  # noqa: PLC0415

        from bookings.models import Booking, Disruption, PaymentAttempt  # noqa: PLC0415
        from flights.models import CabinInventory  # noqa: PLC0415

        statuses = Counter(Booking.objects.values_list("status", flat=True))
        payments = Counter(PaymentAttempt.objects.values_list("state", flat=True))
        counter = CabinInventory.objects.get()
        print(f"all refunded {self.seconds:.1f} s after the cancellation")  # noqa: T201
        print(f"bookings {dict(statuses)}, disruptions {Disruption.objects.count()}")  # noqa: T201
        print(f"payments {dict(payments)}; seats {counter.available} of {counter.capacity}")  # noqa: T201
        print(f"those who kept booking were told {dict(self.answers)}")  # noqa: T201
        if set(statuses) != {"Cancelled"} or counter.available != counter.capacity:
            self.faults.append("somebody slipped in")
        if self.seconds > 60:  # noqa: PLR2004 - the promise
            self.faults.append("it took longer than a minute")
        try:
            call_command("audit", "--settled")
        except SystemExit as ended:
            if ended.code:
                self.faults.append("the auditor found something")
        print("; ".join(self.faults) or "as promised")  # noqa: T201
        return 1 if self.faults else 0


if __name__ == "__main__":
    sys.exit(main())
