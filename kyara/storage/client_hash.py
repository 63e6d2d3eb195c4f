"""Who sent something, as far as it may be known: a keyed hash of the client's address.

Two submissions of one sender can be told to be one sender's; the address itself is nowhere, and without
the key, which is random and never leaves this installation, nobody can try addresses out.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re

SENDER_CHARACTERS = 32
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^]]+)\]|(?P<v4>[0-9.]+))(?::[0-9]{1,5})?")
_IPV6_PREFIX = 64
"""A household has a whole /64 of IPv6 addresses and may change within it as it likes."""


def hash_sender(address: str, key: bytes) -> str:
    """Return 32 hexadecimal digits that stand for a client.

    Args:
        address: see `simplify_address`.
        key: random, at least 16 bytes.
    """
    return hmac.new(key, simplify_address(address).encode(), hashlib.sha256).hexdigest()[
        :SENDER_CHARACTERS
    ]


def simplify_address(address: str) -> str:
    """Return an address as it is counted: IPv4 as it is, of IPv6 the /64; anything else is `unknown`.

    Args:
        address: as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
    """
    found = _WITH_PORT.fullmatch(address.strip())
    try:
        parsed = ipaddress.ip_address(
            (found["v6"] or found["v4"] if found else address.strip()).split("%")[0]
        )
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))
    return str(parsed)
