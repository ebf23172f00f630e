"""Who is calling: the peer, or what proxies that are trusted say is their client."""

import ipaddress
from collections.abc import Sequence

from bridge.settings import Network


def client_of(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The address of the client. `forwarded`: the value of X-Forwarded-For, which any client can send.

    Each proxy appends the address that called it, so it is read from the right, as long as a trusted proxy says it:
    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For
    """
    address = peer
    for hop in reversed(forwarded.split(",")):
        if not is_trusted(address, trusted):
            return address
        try:
            address = str(ipaddress.ip_address(hop.strip().removeprefix("[").removesuffix("]")))
        except ValueError:
            return address
    return address


def is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    if not trusted:
        return False
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in network for network in trusted)
