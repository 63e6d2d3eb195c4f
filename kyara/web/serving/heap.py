"""Memory that a request took and that is free again goes back to the system."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_MMAP_THRESHOLD_BYTES = 1024 * 1024
_TRIM_EVERY_S = 10.0


class Heap:
    """glibc's heap, told to return what large pictures took, whichever thread unpacked them.

    By itself glibc raises its threshold with every large block that is freed, and keeps a heap for every
    other thread: after a few thousand pictures of all sizes the process held three times as much. Free
    pages between blocks that are still in use it keeps for ever.

    Source: mallopt(3), M_MMAP_THRESHOLD and M_ARENA_MAX; malloc_trim(3).
    """

    def __init__(self) -> None:
        self._trim_at = time.monotonic() + _TRIM_EVERY_S
        try:
            libc = ctypes.CDLL(None)
            libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
            libc.mallopt(_M_ARENA_MAX, 2)
            self._trim: Callable[[int], int] | None = libc.malloc_trim
        except (OSError, AttributeError):  # another C library
            self._trim = None

    def give_back(self) -> None:
        """Return free pages, now and then."""
        if self._trim is not None and time.monotonic() >= self._trim_at:
            self._trim(0)
            self._trim_at = time.monotonic() + _TRIM_EVERY_S
