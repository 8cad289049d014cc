"""After a restore the log has another name, and who counts in the old one begins anew."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from flights.models import UpdateLog
from flights.operations.log import rename_log
from flights.queries import log_name

pytestmark = pytest.mark.django_db


def test_the_name_changes_and_stays_one_row() -> None:
    before = log_name()
    out = StringIO()
    call_command("rename_log", stdout=out)
    after = log_name()
    assert after != before
    assert out.getvalue() == f"The log is {after} now.\n"
    assert UpdateLog.objects.count() == 1


def test_a_log_that_was_lost_is_made() -> None:
    UpdateLog.objects.all().delete()
    assert rename_log() == log_name()
