"""Tells hosts apart: this machine, a private network, the public internet."""

from __future__ import annotations

import ipaddress

_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


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
        return "." not in bare or _is_number(bare.rpartition(".")[2])


def is_public_address(address: str) -> bool:
    """Whether an IP address is on the public internet; raises ValueError for anything else."""
    ip = ipaddress.ip_address(address.split("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool((mapped or ip).is_global and not (mapped or ip).is_multicast)


def _is_number(label: str) -> bool:
    """Whether this label ends a short address such as 127.1 or 0x7f.1; no top-level domain is a number."""
    return label.isdigit() or label.startswith("0x")
