"""Telegrams out of public texts (`telegrams.toml`): each moves its flight; damaged, it moves nothing."""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.tests.factories import api_client, make_user
from flights.models import Flight, FlightUpdate, RejectedTelegram
from flights.telegrams import intake
from flights.telegrams.drop_folder import take_in_files
from flights.telegrams.grammar import Telegram, TelegramError, telegrams
from flights.telegrams.intake import receive_telegrams
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db

Sample = dict[str, Any]
FILE = Path(__file__).with_name("telegrams.toml")
# What a telegram is made of, and what gets into one by a mistake; line ends that only Unicode knows among it.
CHARACTERS = st.one_of(
    st.sampled_from("ABDEIMNORSTVX0123456789/. \n\r\t?ß\x03\x0c\u2028"), st.characters(codec="utf-8")
)


def _samples() -> Iterator[Sample]:
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    for sample in found["sample"]:
        assert found["sources"][sample["source"]].startswith("https://")
        yield sample
        if sample.get("also_mva"):
            text = sample["text"].replace("MVT", "MVA", 1)
            yield sample | {"name": f"{sample['name']}, as MVA", "text": text}


SAMPLES = list(_samples())
GOOD = [sample for sample in SAMPLES if "statuses" in sample]
UNLIKE = [sample for sample in GOOD if "as MVA" not in sample["name"]]
BAD = [sample for sample in SAMPLES if sample.get("outcome") == "malformed"]
UNKNOWN = [sample for sample in SAMPLES if sample.get("outcome") == "unknown_flight"]


def name(sample: Sample) -> str:
    return str(sample["name"])


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[dt.datetime]:
    """When telegrams come in: its one element."""
    at = [dt.datetime.now(dt.UTC)]
    monkeypatch.setattr(intake, "_clock", lambda: at[0])
    return at


def flight_of(sample: Sample, clock: list[dt.datetime]) -> Flight:
    """The flight that is meant, among others of the same number that are not."""
    clock[0] = moment(sample["came"])
    line = re.search(r"^([A-Z0-9]{2})[A-Z]?0*([0-9]+)/", sample["text"], re.MULTILINE)
    assert line is not None
    origin, departure, destination, arrival = sample["flight"]
    start, end = moment(departure), moment(arrival)
    place: dict[str, Any] = {
        "airline": line[1],
        "number": int(line[2]),
        "duration": end - start,
        "economy": 0,
    }
    yesterday = start - dt.timedelta(days=1)
    make_flight(origin=origin, destination=destination, departure=yesterday, **place)
    make_flight(origin="JNB", destination="CPT", departure=start, **place)
    return make_flight(origin=origin, destination=destination, departure=start, **place)


def check_moved(sample: Sample, flight: Flight) -> None:
    """The flight is as the sample says, and no other has been touched."""
    updates = FlightUpdate.objects.filter(flight=flight).order_by("sequence")
    assert [update.status for update in updates] == sample["statuses"]
    assert FlightUpdate.objects.count() == len(sample["statuses"])
    assert not RejectedTelegram.objects.exists()
    flight.refresh_from_db()
    assert flight.status == sample["statuses"][-1]
    assert flight.reason == sample.get("reason", "")
    if "departs" in sample:
        assert flight.estimated_departure == moment(sample["departs"])
    if "arrives" in sample:
        assert flight.estimated_arrival == moment(sample["arrives"])


@pytest.fixture
def post() -> Any:
    """Sends a text to `POST /flight-messages`; the answer's messages."""
    user = make_user()
    user.user_permissions.add(Permission.objects.get(codename="report_flight_update"))
    client = api_client(type(user).objects.get(pk=user.pk))

    def send(text: str) -> list[dict[str, Any]]:
        answer = client.generic("POST", "/flight-messages", text, content_type="text/plain; charset=utf-8")
        assert answer.status_code == 200, answer.content
        found: list[dict[str, Any]] = answer.json()["messages"]
        return found

    return send


@pytest.mark.parametrize("sample", GOOD, ids=name)
def test_moves_its_flight_over_http(sample: Sample, clock: list[dt.datetime], post: Any) -> None:
    flight = flight_of(sample, clock)
    [answer] = post(sample["text"])
    assert (answer["outcome"], answer["flightId"]) == ("applied", flight.public_id)
    assert [update["status"] for update in answer["updates"]] == sample["statuses"]
    check_moved(sample, flight)
    [again] = post(sample["text"])
    assert again["outcome"] == "not_applied"
    check_moved(sample, flight)


# MVA is another word at the same place: once over HTTP is enough of it.
@pytest.mark.parametrize("sample", UNLIKE, ids=name)
def test_moves_its_flight_out_of_the_folder(sample: Sample, clock: list[dt.datetime], tmp_path: Path) -> None:
    flight = flight_of(sample, clock)
    (tmp_path / "telegram.txt").write_text(sample["text"])
    assert take_in_files(tmp_path) == 1
    answers = json.loads((tmp_path / "done" / "telegram.txt.answer.json").read_text())["messages"]
    assert [(answer["outcome"], answer["flightId"]) for answer in answers] == [("applied", flight.public_id)]
    check_moved(sample, flight)


@pytest.mark.parametrize("mark", ["COR\n", "PDM\n", "PDM\nCOR\n"])
def test_sent_again_as_a_duplicate_or_corrected(mark: str, clock: list[dt.datetime], post: Any) -> None:
    sample = GOOD[0]
    flight = flight_of(sample, clock)
    text = sample["text"].strip()
    answers = post(f"{text}\n{mark}{text}\n{mark}{text.replace('1100', '1059')}")
    assert [answer["outcome"] for answer in answers] == ["applied", "not_applied", "applied"]
    flight.refresh_from_db()
    assert flight.estimated_departure == moment("2024-09-21T10:59")


@pytest.mark.parametrize("sample", UNKNOWN, ids=name)
def test_is_kept_for_staff(sample: Sample, clock: list[dt.datetime], post: Any) -> None:
    flight_of(sample, clock)
    [answer] = post(sample["text"])
    assert answer["outcome"] == "unknown_flight"
    assert RejectedTelegram.objects.get().text in "\n".join(
        " ".join(line.split()) for line in sample["text"].splitlines()
    )
    assert not FlightUpdate.objects.exists()


def check_untouched() -> None:
    assert not FlightUpdate.objects.exists()
    assert not RejectedTelegram.objects.exists()


@pytest.mark.parametrize("sample", BAD, ids=name)
def test_is_malformed(sample: Sample, clock: list[dt.datetime], post: Any) -> None:
    flight_of(sample, clock)
    [answer] = post(sample["text"].strip())
    line, position, expected = sample["where"]
    assert (answer["outcome"], answer["line"], answer["position"]) == ("malformed", line, position)
    assert expected in answer["expected"]
    check_untouched()


def read_lines(sample: Sample) -> list[str]:
    """The lines that are no free text."""
    lines: list[str] = sample["text"].strip().splitlines()
    free = [number for number, line in enumerate(lines) if line.startswith("SI")]
    return lines[: free[0]] if free else lines


@pytest.mark.parametrize("sample", UNLIKE, ids=name)
def test_each_line_damaged_in_turn(sample: Sample, clock: list[dt.datetime], post: Any) -> None:
    """By a character that stands in no telegram, at the line's beginning, in it and at its end."""
    flight_of(sample, clock)
    lines = sample["text"].strip().splitlines()
    for number, line in enumerate(read_lines(sample)):
        # Behind its time a heading's line of origin has what the sender likes.
        for at in {0, min(3, len(line)), 0 if line.startswith(".") else len(line)}:
            damaged = [*lines[:number], f"{line[:at]}?{line[at:]}", *lines[number + 1 :]]
            [answer] = post("\n".join(damaged))
            assert (answer["outcome"], answer["line"]) == ("malformed", number + 1), damaged
            assert 1 <= answer["position"] <= at + 1, damaged
            assert answer["expected"], damaged
    check_untouched()


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """A sample, or two in one body, with up to five edits: characters put in, taken out, or swapped."""
    parts = draw(
        st.lists(st.sampled_from([sample["text"].strip() for sample in SAMPLES]), min_size=1, max_size=2)
    )
    text = "\n".join(parts)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        until = min(len(text), at + draw(st.integers(0, 3)))
        text = text[:at] + draw(st.text(CHARACTERS, max_size=3)) + text[until:]
    return text


@settings(max_examples=500, derandomize=True, database=None, deadline=None)
@given(text=mutations())
@example(text="MVT\nßD200/21.PMDFG.CDG\nAD2500")
def test_whatever_comes_is_read_or_said_where_it_is_wrong(text: str) -> None:
    lines = text.splitlines()
    for found in telegrams(text):
        assert isinstance(found, Telegram | TelegramError)
        if isinstance(found, TelegramError):
            assert 1 <= found.line <= len(lines)
            assert 1 <= found.column <= len(lines[found.line - 1]) + 1
            assert found.expected


@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=mutations().filter(str.strip))
def test_what_is_malformed_changes_nothing(text: str, clock: list[dt.datetime]) -> None:
    clock[0] = moment("2024-09-22T11:30")
    if not Flight.objects.exists():
        for number in range(20, 23):
            make_flight(
                origin="CDG", destination="FRA", airline="SD", number=200,
                departure=moment(f"2024-09-{number}T11:00"), duration=dt.timedelta(hours=4),
            )  # fmt: skip
    before = FlightUpdate.objects.count(), RejectedTelegram.objects.count()
    answers = receive_telegrams(text=text, source="test")
    applied = sum(len(answer.updates) for answer in answers)
    kept = {answer.outcome for answer in answers} & {"unknown_flight", "refused"}
    assert FlightUpdate.objects.count() == before[0] + applied
    if not kept:
        assert RejectedTelegram.objects.count() == before[1]
    for answer in answers:
        assert (answer.column is not None) == (answer.outcome == "malformed")
        assert not (answer.updates and answer.outcome != "applied")
