"""What requests took goes back to the system, though something between is still in use."""

from __future__ import annotations

import subprocess
import sys

from command_line import ROOT

FRAGMENTED = """
import os
import kyara.web.serving.heap as heap

def measure():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

kept = heap.Heap()
blocks = [b"x" * 100_000 for _ in range(2_000)]
blocks = blocks[::4]
kept.give_back()
before = measure()
heap.time.monotonic = lambda: 1e12  # it is time
kept.give_back()
print(before - measure())
"""


def test_free_pages_between_blocks_in_use_are_given_back():
    command = [sys.executable, "-c", FRAGMENTED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 100_000_000
