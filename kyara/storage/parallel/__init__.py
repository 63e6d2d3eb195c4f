"""Bulk work: one function over many named items, in processes of this machine or on a Ray cluster.

    task.py       what is done, as plain data: every worker can find it by its name
    work.py       the work folder: shards of items, results, and what is done already
    shard.py      a worker's side: one shard from its first item to its last, written whole or not at all
    running.py    the shards one after the other, in order; a worker that died loses nothing
    processes.py  workers that are processes of this machine
    cluster.py    workers that Ray runs, here or on other machines
    choosing.py   which of the two, and how many workers

A result depends on the item and the task alone, and results are read in the order of the items: what
comes out is the same, to the byte, whatever ran it, and however often it was interrupted.
"""

from kyara.storage.parallel.choosing import Engine, open_pool
from kyara.storage.parallel.running import Pool, run_work
from kyara.storage.parallel.task import Record, Task
from kyara.storage.parallel.work import End, Work

__all__ = ["End", "Engine", "Pool", "Record", "Task", "Work", "open_pool", "run_work"]
