"""Clients for the site, in a process of their own: `python -m bench.load URL --clients 8 --seconds 10`.

Each client asks again as soon as it has its answer. One that is told to come back later (503 or 429)
waits as the page does, but at most a second. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.pictures import draw_crop, encode_crop
from bench.timing import summarise_ms
from kyara.vision.images import make_data_url

PICTURES = 12
LONGEST_WAIT_S = 1.0


@dataclass
class Count:
    """What the clients saw."""

    times_ms: list[float] = field(default_factory=list)
    refused: int = 0
    failed: list[str] = field(default_factory=list)


def make_bodies(crops: int, form: str, side: int) -> list[bytes]:
    """Return requests with different pictures of `side` pixels, PNG or JPEG."""
    urls = [
        make_data_url(encode_crop(draw_crop(seed, side), form), form.lower()) for seed in range(PICTURES)
    ]
    return [
        json.dumps({"crops": [urls[(at + more) % PICTURES] for more in range(crops)]}).encode()
        for at in range(PICTURES)
    ]


async def run_client(
    session: aiohttp.ClientSession,
    url: str,
    bodies: list[bytes],
    until: float,
    limit: list[int],
    count: Count,
) -> None:
    """Ask until the time is over or everything is asked.

    Args:
        session: shared by the clients.
        url: of the question.
        bodies: what to send, in turn.
        until: on the monotonic clock.
        limit: how many requests are left for all clients, in a list of one.
        count: what was seen so far.
    """
    at = limit[0]
    while time.monotonic() < until and limit[0] > 0:
        limit[0] -= 1
        at += 1
        started = time.perf_counter()
        try:
            headers = {"Content-Type": "application/json"}
            async with session.post(url, data=bodies[at % len(bodies)], headers=headers) as answer:
                await answer.read()
                status, later = answer.status, answer.headers.get("Retry-After", "1")
        except (aiohttp.ClientError, TimeoutError) as error:
            count.failed.append(f"{type(error).__name__}: {error}")
            continue
        if status == 200:
            count.times_ms.append((time.perf_counter() - started) * 1000)
        elif status in (429, 503):
            count.refused += 1
            limit[0] += 1
            await asyncio.sleep(min(float(later), LONGEST_WAIT_S))
        else:
            count.failed.append(f"status {status}")


async def ask(
    url: str, bodies: list[bytes], clients: int, seconds: float, requests: int
) -> tuple[Count, float]:
    """Ask with several clients at once; returns what they saw and how many seconds it took."""
    count, limit = Count(), [requests]
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        started = time.monotonic()
        until = started + seconds
        tasks = [run_client(session, url, bodies, until, limit, count) for _ in range(clients)]
        await asyncio.gather(*tasks)
        return count, time.monotonic() - started


def main() -> None:
    """Ask, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the site, without a path")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--crops", type=int, default=1, help="of each request")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--requests", type=int, default=10**9, help="stop after so many")
    parser.add_argument("--form", choices=("PNG", "JPEG"), default="PNG")
    parser.add_argument("--side", type=int, default=256, help="of a crop in pixels")
    options = parser.parse_args()
    bodies = make_bodies(options.crops, options.form, options.side)
    url = f"{options.url}/api/identify"
    count, took = asyncio.run(ask(url, bodies, options.clients, options.seconds, options.requests))
    served = len(count.times_ms)
    result: dict[str, Any] = {
        "clients": options.clients,
        "crops": options.crops,
        "form": options.form,
        "kb_a_request": round(len(bodies[0]) / 1000, 1),
        "seconds": round(took, 1),
        "served": served,
        "refused": count.refused,
        "failed": len(count.failed),
        "failures": sorted(set(count.failed))[:3],
        "requests_a_second": round(served / took, 1),
        "crops_a_second": round(served * options.crops / took, 1),
        **summarise_ms(count.times_ms),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
