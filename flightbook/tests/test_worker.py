"""`manage.py worker`: its loop, and the command as a process that signals end."""

from __future__ import annotations

import datetime as dt
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from flightbook.tests.processes import database_url
from flightbook.worker import (
    LONGEST_WAIT,
    Stop,
    Task,
    all_tasks,
    extend_schedule,
    run_once,
    work,
    work_in_lanes,
)
from flights.models import ScheduleDay

ROOT = Path(__file__).resolve().parents[2]


class Counted:
    """A task's work: answers from a list (an exception is raised), then nothing more."""

    def __init__(self, *answers: int | Exception, then: Stop | None = None) -> None:
        self.answers = list(answers)
        self.then = then
        self.runs = 0

    def __call__(self) -> int:
        self.runs += 1
        if not self.answers:
            if self.then is not None:
                self.then.received = True
            return 0
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def wait_of(task: Task) -> float:
    return task.due - time.monotonic()


def test_a_task_with_work_left_is_run_again_at_once() -> None:
    task = Task("drain", Counted(20, 3, 0), 100.0, drains=True)
    run_once(task)
    assert wait_of(task) <= 0
    run_once(task)
    assert wait_of(task) <= 0
    run_once(task)
    assert wait_of(task) == pytest.approx(100, abs=5)


def test_a_task_of_every_hour_is_not() -> None:
    task = Task("purge", Counted(20), 100.0)
    run_once(task)
    assert wait_of(task) == pytest.approx(100, abs=5)


@pytest.mark.django_db(transaction=True)
def test_a_failure_is_logged_and_tried_again_later_each_time(caplog: pytest.LogCaptureFixture) -> None:
    task = Task("fail", Counted(*[RuntimeError("broken")] * 20, 0), 0.5)
    waits = []
    with caplog.at_level(logging.ERROR):
        for _ in range(20):
            run_once(task)
            waits.append(wait_of(task))
    assert [round(wait) for wait in waits[:4]] == [1, 2, 4, 8]
    assert max(waits) <= LONGEST_WAIT
    assert round(waits[-1]) == LONGEST_WAIT
    assert len([record for record in caplog.records if record.exc_info]) == 20
    run_once(task)
    assert (task.failures, round(wait_of(task))) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_failing_task_does_not_keep_the_others_from_their_work() -> None:
    stop = Stop()
    failing, good = Counted(*[RuntimeError("broken")] * 50), Counted(1, 1, 1, then=stop)
    work([Task("fail", failing, 0.01), Task("good", good, 0.01, drains=True)], stop)
    assert good.runs == 4
    assert failing.runs == 1  # it waits


@pytest.mark.django_db(transaction=True)
def test_a_broken_connection_is_replaced() -> None:
    def query() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 0")
            return int(cursor.fetchone()[0])

    def kill() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return 0

    run_once(Task("kill", kill, 1))
    task = Task("query", query, 1)
    run_once(task)
    assert task.failures == 0


@pytest.mark.django_db(transaction=True)
def test_a_lane_that_waits_keeps_no_other_waiting() -> None:
    stop, answered = Stop(), threading.Event()
    good = Counted(1, 1, 1)

    def slow() -> int:
        assert answered.wait(30)
        return 0

    def quick() -> int:
        if good() == 0:
            answered.set()
            stop.now()
        return 1

    work_in_lanes([[Task("slow", slow, 0.01)], [Task("quick", quick, 0.01, drains=True)]], stop)
    assert good.runs == 4


@pytest.mark.django_db(transaction=True)
def test_a_lane_that_breaks_off_stops_the_others() -> None:
    def broken() -> int:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        work_in_lanes([[Task("idle", Counted(), 600.0)], [Task("broken", broken, 0.01)]], Stop())


def test_nothing_is_begun_once_it_is_told_to_stop() -> None:
    stop = Stop()

    def told() -> int:
        stop.received = True
        return 0

    later = Counted()
    work([Task("told", told, 1), Task("later", later, 1)], stop)
    assert later.runs == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_sleep(number: signal.Signals) -> None:
    with Stop().on_signals() as stop:
        os.kill(os.getpid(), number)
        stop.wait(600)
        assert stop.received
    assert signal.getsignal(signal.SIGINT) is not stop._handle


def test_the_tasks_are_those_that_were_promised() -> None:
    names = {task.name for task in all_tasks()}
    assert names == {
        "settle payments",
        "expire holds",
        "handle disruptions",
        "deliver mail",
        "start audits",
        "take in flight messages",
        "extend the schedule",
        "purge idempotency keys",
        "purge quotes",
        "purge expired sessions",
    }
    assert {task.period for task in all_tasks()} == {0.5, 1.0, 3600.0}
    bounded = {task.name for task in all_tasks() if task.drains and task.period == 3600.0}
    assert bounded == {"purge idempotency keys", "purge quotes"}  # a call does a part, and comes again


@pytest.mark.django_db
def test_a_schedule_is_extended_only_where_one_was_loaded(settings: Any) -> None:
    settings.SCHEDULE_DAYS = 1
    assert extend_schedule() == 0
    ScheduleDay.objects.create(day=dt.date(2026, 1, 1), source_date=dt.date(2013, 1, 3))
    assert extend_schedule() > 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_at_a_signal(number: signal.Signals) -> None:
    """INT also where the shell that started it ignores it, as shells do for what runs in the background."""
    environment = dict(os.environ, DATABASE_URL=database_url(), SCHEDULE_DAYS="1")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509 - nothing is threaded
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "worker: started" in line:
                break
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(60) == 0
        assert "worker: stopped" in rest
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
