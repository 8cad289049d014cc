from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.keys import create_keys, publish_keys


class Command(BaseCommand):
    help = "Make a key pair for access tokens in TOKEN_KEYS_DIR, where none is there yet."
    requires_system_checks: list[str] = []  # it makes what they look for

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rotate",
            action="store_true",
            help="add a key, which signs from then on; delete the old one 15 minutes later",
        )

        parser.add_argument(
            "--publish",
            type=Path,
            metavar="DIRECTORY",
            help="copy the public keys there too, for the pools that check tokens and never sign",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        kid = create_keys(rotate=options["rotate"])
        self.stdout.write(f"Made {kid}." if kid else "The keys are there already.")
        if options["publish"]:
            publish_keys(options["publish"])
