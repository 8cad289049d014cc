"""Reading telegrams: the public examples, and where a wrong one is wrong."""

from __future__ import annotations

import pytest

from flights.telegrams.delay_codes import reason
from flights.telegrams.grammar import Clock, Telegram, TelegramError, parse, split

# https://www.oag.com/hubfs/Inbound-Services/OAG-MVT-MVA-DIV-Message-Types-and-Examples.pdf
OAG_DEPARTURE = "MVT\nSD200/21.PMDFG.CDG\nAD211100/211115 EA1500 FRA\nDL72/0015\nPX112\nSI DEICING"
OAG_ARRIVAL = "MVT\nSD200/22.PMDFG.FRA\nAA1515/1520\nFLD22"
OAG_DELAY = "MVT\nSD200/22.PMDFG.CDG\nED221125\nDL72/0025"
OAG_NEXT_INFORMATION = "MVT\nSD200/22.PMDFG.CDG\nNI221150\nSI ENGINE TROUBLE"
OAG_DIVERSION = "DIV\nSD200/30.CVBNM.MAN\nEA1125 STN\nDR71 PX112\nSI BAD WEATHER"


def only(text: str) -> Telegram:
    [chunk] = split(text)
    return parse(chunk)


def test_a_departure() -> None:
    telegram = only(OAG_DEPARTURE)
    assert (telegram.kind, telegram.airline, telegram.number, telegram.day) == ("MVT", "SD", 200, 21)
    assert telegram.airport == "CDG"
    assert (telegram.off_block, telegram.airborne) == (Clock(21, 11, 0), Clock(21, 11, 15))
    assert (telegram.expected_touchdown, telegram.landing) == (Clock(None, 15, 0), "FRA")
    assert telegram.delays == (("72", 15),)


def test_an_arrival() -> None:
    telegram = only(OAG_ARRIVAL)
    assert (telegram.touchdown, telegram.on_block) == (Clock(None, 15, 15), Clock(None, 15, 20))
    assert telegram.leg_day == 22


def test_delays() -> None:
    assert only(OAG_DELAY).expected_off_block == Clock(22, 11, 25)
    assert only(OAG_NEXT_INFORMATION).next_information == Clock(22, 11, 50)


def test_a_diversion() -> None:
    telegram = only(OAG_DIVERSION)
    assert (telegram.kind, telegram.airport, telegram.landing) == ("DIV", "MAN", "STN")
    assert telegram.diversion_code == "71"
    assert only(OAG_DIVERSION.replace("\nSI", " TERM\nSI")).ends_there
    assert only(OAG_DIVERSION.replace("\nSI", " CONT MAN\nSI")).continues_to == "MAN"


def test_the_form_of_delay_codes() -> None:
    # https://en.wikipedia.org/wiki/IATA_delay_codes
    text = "COR MVT\nBA117/26.G-BZHA.LHR\nAD1207\nDL31/62/0005/0015 EDL11/0005\nDLA31C/62A//"
    telegram = only(text)
    assert telegram.delays == (("31", 5), ("62", 15), ("11", 5))
    assert reason(telegram.delays).startswith("Operational requirements; Late aircraft documents")
    assert reason([("03", 20)]) == ""  # an airline's own


def test_the_heading_gives_the_filing_time() -> None:
    telegram = only("\x01QU LONDD1G PARJFXS\n.LHRRMBA 010900\n\x02MVT\nBA117/01.GABCD.LHR\nAD0900\n\x03")
    assert telegram.filed == Clock(1, 9, 0)
    assert telegram.text == "MVT\nBA117/01.GABCD.LHR\nAD0900"
    assert telegram.line == 3


@pytest.mark.parametrize("between", ["\x03", "\nNNNN\n", "\n\n", "\n", "\nQU LONDD1G\n.LHRRMBA 010900\n"])
def test_several_in_one_body(between: str) -> None:
    body = f"MVT\nBA1/01.GABCD.LHR\nAD0900\nSI ONE{between}MVA\nBA2/01.GABCD.LHR\nEA1000 {between}"
    found = [parse(chunk) for chunk in split(body) if len(chunk.lines) > 2]
    assert [(telegram.kind, telegram.number) for telegram in found] == [("MVT", 1), ("MVA", 2)]


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("LDM\nBA1/01.GABCD.LHR", 1, 1, "MVT, MVA or DIV"),
        ("QU LONDD1G\n.LHRRMBA 010900", 2, 16, "MVT, MVA or DIV below"),
        ("MVT", 1, 4, "the flight's line"),
        ("MVT\nB1A/01.GABCD.LHR\nAD0900", 2, 1, "an airline's designator"),
        ("MVT\nBA11777/01.GABCD.LHR\nAD0900", 2, 3, "a flight number"),
        ("MVT\nBA117/32.GABCD.LHR\nAD0900", 2, 7, "a day"),
        ("MVT\nBA117/01.GABCD\nAD0900", 2, 10, "registration and airport"),
        ("MVT\nBA117/01.GABCD.LHR", 2, 19, "one of AD"),
        ("MVT\nBA117/01.GABCD.LHR\n AD2500", 3, 4, "a time in UTC"),
        ("MVT\nBA117/01.GABCD.LHR\nAD0900EA1740", 3, 7, "a space"),
        ("MVT\nBA117/01.GABCD.LHR\nAD0900 XX12", 3, 8, "AD, AA"),
        ("MVT\nBA117/01.GABCD.LHR\nAD0900\nAD1000", 4, 7, "a second AD"),
        ("MVT\nBA117/01.GABCD.LHR\nAD0900\nDL7/0015", 4, 3, "a delay code"),
        ("MVT\nBA117/01.GABCD.LHR\nAD0900\nDL72/73/0015", 4, 13, "as many delays"),
        ("MVT\nBA117/01.GABCD.LHR\nAD0900\nPX1A", 4, 3, "numbers of passengers"),
        ("DIV\nSD200/30.CVBNM.MAN\nEA1125\nDR71", 4, 5, "airport of the diversion"),
    ],
)
def test_where_it_is_wrong(text: str, line: int, column: int, expected: str) -> None:
    with pytest.raises(TelegramError) as caught:
        only(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert expected in caught.value.expected
