"""`manage.py statemachine`: the picture of the states, out of the tables that the code goes by."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from bookings.states import MACHINES, Machine

_HEAD = """# States

Drawn by `make states` from [`bookings/states.py`](../bookings/states.py), the tables that every transition
is made by. Not to be edited.
"""


class Command(BaseCommand):
    help = "Prints docs/states.md: the states of bookings, segments, coupons and payments, as pictures."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("\n".join([_HEAD, *map(_section, MACHINES)]), ending="")


def _section(machine: Machine) -> str:
    return f"## {machine.name}\n\n{machine.tells}\n\n```mermaid\n{_picture(machine)}\n```\n"


def _picture(machine: Machine) -> str:
    """Mermaid's own language: https://mermaid.js.org/syntax/stateDiagram.html"""
    begins = [f"    [*] --> {state}" for state in machine.starts]
    moves = [
        f"    {state} --> {following}"
        for state, targets in machine.transitions.items()
        for following in targets
    ]
    ends = [
        f"    {state} --> [*]"
        for state, targets in machine.transitions.items()
        if not targets or state in machine.rests
    ]
    return "\n".join(["stateDiagram-v2", *begins, *moves, *ends])
