"""The shards of a work, in order; a worker that died loses nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from kyara.errors import KyaraError
from kyara.storage.parallel.shard import ShardOrder
from kyara.storage.parallel.work import Work

MOST_DEATHS = 3
"""An item on which so many workers died is at fault."""


class Pool(Protocol):
    """Workers."""

    def has_room(self) -> bool:
        """Return whether another shard should be handed out now."""
        ...

    def hand_out(self, order: ShardOrder) -> None:
        """Have a worker do a shard."""
        ...

    def wait(self) -> list[tuple[int, bool]]:
        """Wait until something happens; return shards: done, or whose worker died (False).

        Raises:
            KyaraError: a worker cannot go on, and no other could: no model, no room on the disk.
        """
        ...


def run_work(
    work: Work, pool: Pool, progress: Callable[[int], None] = lambda items: None
) -> Iterator[int]:
    """Do all shards that are not done, and give the number of each in order, as soon as it is done.

    `progress` hears the number of items whenever some are done, those of earlier runs included.

    Raises:
        KyaraError: the work cannot go on; what is done is kept.
    """
    waiting = iter(range(work.shards))
    again: list[int] = []
    done: set[int] = set()
    deaths: Counter[tuple[int, int | None]] = Counter()
    running = following = 0
    while following < work.shards:
        while pool.has_room():
            number = again.pop() if again else next(waiting, None)
            if number is None:
                break
            if work.is_done(number):
                done.add(number)
                progress(len(work.read_names(number)))
                continue
            pool.hand_out(_make_order(work, number, deaths))
            running += 1
        while following in done:
            done.remove(following)
            yield following
            following += 1
        if running:
            for number, well in pool.wait():
                running -= 1
                if well:
                    done.add(number)
                    progress(len(work.read_names(number)))
                else:
                    _count_death(work, number, deaths)
                    again.append(number)


def _make_order(work: Work, number: int, deaths: Counter[tuple[int, int | None]]) -> ShardOrder:
    given_up = {
        index: f"Workers died on it {count} times; it is left out."
        for (shard, index), count in deaths.items()
        if shard == number and index is not None and count >= MOST_DEATHS
    }
    return ShardOrder(number, tuple(work.read_names(number)), work.results, given_up)


def _count_death(work: Work, number: int, deaths: Counter[tuple[int, int | None]]) -> None:
    at = number, work.read_position(number)
    deaths[at] += 1
    if at[1] is None and deaths[at] >= MOST_DEATHS:
        raise KyaraError(
            f"{MOST_DEATHS} workers died before they began; what they print on stderr tells why. "
            "What is done already is kept; the same command goes on."
        )
