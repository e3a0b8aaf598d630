"""Tells hosts apart: this machine, a private network, the public internet."""

from __future__ import annotations

import ipaddress

_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is handed out as public addresses."""

_NOT_PUBLIC = [ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20")]
"""Ranges that ``ipaddress`` calls global, in some versions of Python or for single addresses."""

_WITH_IPV4 = {
    ipaddress.IPv6Network("64:ff9b::/96"): 0,  # NAT64
    ipaddress.IPv6Network("2002::/16"): 80,  # 6to4
    ipaddress.IPv6Network("::ffff:0:0/96"): 0,  # mapped
}
"""Networks whose addresses carry an IPv4 address, and how many bits follow it."""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_private_host(host: str) -> bool:
    """Whether a host name or address is plainly not on the public internet; no name is looked up."""
    bare = host.strip("[]").rstrip(".").lower()
    if bare in ("", "localhost") or bare.endswith(_PRIVATE_NAMES):
        return True
    try:
        return not is_public_address(bare)
    except ValueError:
        last = bare.rpartition(".")[2]  # a number ends a short address such as 127.1 or 0x7f.1, and no domain
        return "." not in bare or last.isdigit() or last.startswith("0x")


def is_public_address(address: str) -> bool:
    """Whether an IP address is on the public internet; raises ValueError for anything else.

    An IPv6 address that carries an IPv4 address (NAT64, 6to4, mapped) leads to that one.
    """
    ip = ipaddress.ip_address(address.split("%")[0])
    bits = next((bits for network, bits in _WITH_IPV4.items() if ip in network), None)
    if bits is not None:
        ip = ipaddress.IPv4Address(int(ip) >> bits & 0xFFFFFFFF)
    is_unicast = ip.version == 4 or ip in _UNICAST
    return is_unicast and ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_PUBLIC)
