"""Who sent something, as far as it may be known: a keyed hash of the client's address.

Two submissions of one sender can be told to be one sender's; the address itself is nowhere, and without
the key, which is random and never leaves this installation, nobody can try addresses out.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress

SENDER_CHARACTERS = 32
_IPV6_PREFIX = 64
"""A household has a whole /64 of IPv6 addresses and may change within it as it likes."""


def hash_sender(address: str, key: bytes) -> str:
    """Return 32 hexadecimal digits that stand for a client.

    Args:
        address: IPv4 or IPv6; of the latter the first 64 bits count. Anything else is taken as it is.
        key: random, at least 16 bytes.
    """
    return hmac.new(key, simplify_address(address).encode(), hashlib.sha256).hexdigest()[
        :SENDER_CHARACTERS
    ]


def simplify_address(address: str) -> str:
    """Return an address as it is counted: IPv4 as it is, of IPv6 the /64; anything else unchanged."""
    try:
        parsed = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))
    return str(parsed)
