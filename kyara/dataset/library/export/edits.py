"""Edits of a file's bytes, which can be taken back."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kyara.errors import BadInputError


class NoRoomError(BadInputError):
    """A picture that no XMP can be written into; the sentence goes on after the picture's name."""


@dataclass(frozen=True)
class Edit:
    """What is removed at a place, and what comes there instead.

    Attributes:
        at: where, in bytes, of the file before any edit.
        removed: what is there.
        inserted: what is there afterwards.
    """

    at: int
    removed: bytes
    inserted: bytes


def apply_edits(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return a file after edits, which come in the order of their places, and do not overlap.

    Raises:
        ValueError: something else is there than what is to be removed.
    """
    parts, last = [], 0
    for edit in edits:
        end = edit.at + len(edit.removed)
        if edit.at < last or data[edit.at : end] != edit.removed:
            raise ValueError(f"The bytes at {edit.at} are not those that were to be replaced.")
        parts += [data[last : edit.at], edit.inserted]
        last = end
    return b"".join([*parts, data[last:]])


def find_edit(old: bytes, new: bytes) -> Edit:
    """Return the one edit that makes a file another one: all between what both begin and end with."""
    start = _count_shared(old, new)
    end = _count_shared(old[start:][::-1], new[start:][::-1])
    return Edit(start, old[start : len(old) - end], new[start : len(new) - end])


def describe_edits(edits: Sequence[Edit]) -> list[list[Any]]:
    """Return what takes edits back, as JSON has it: place and length in the new file, old bytes."""
    told, shift = [], 0
    for edit in edits:
        old = base64.b64encode(edit.removed).decode("ascii")
        told.append([edit.at + shift, len(edit.inserted), old])
        shift += len(edit.inserted) - len(edit.removed)
    return told


def take_back(data: bytes, told: Sequence[Sequence[Any]]) -> bytes:
    """Return a file as it was before edits that `describe_edits` tells.

    Raises:
        ValueError: that cannot be told from it.
    """
    parts, last = [], 0
    for at, length, old in told:
        if not last <= at <= at + length <= len(data):
            raise ValueError("The edits are none of this file.")
        parts += [data[last:at], base64.b64decode(old, validate=True)]
        last = at + length
    return b"".join([*parts, data[last:]])


def _count_shared(one: bytes, other: bytes) -> int:
    """Return with how many bytes two texts both begin."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
