"""Identifiers that nobody can guess, and nobody misreads: drawn from the system's random numbers."""

from __future__ import annotations

import secrets

# Without what looks like something else: i, l, o, u, 0, 1.
ID_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"
ID_LENGTH = 12  # 58 bits


def draw_id(prefix: str = "") -> str:
    """`prefix` and twelve characters of `ID_ALPHABET`."""
    return prefix + draw_letters(ID_ALPHABET, ID_LENGTH)


def draw_letters(alphabet: str, length: int) -> str:
    """`length` characters, each of `alphabet` as likely as any other; one draw for all, since each is a call
    of the system's."""
    number, letters = secrets.randbelow(len(alphabet) ** length), []
    for _ in range(length):
        number, index = divmod(number, len(alphabet))
        letters.append(alphabet[index])
    return "".join(letters)
