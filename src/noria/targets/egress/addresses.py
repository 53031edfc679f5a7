"""Which addresses may be called, decided on the address itself and not on its name.

A base URL is an operator's, but what its name resolves to is whoever's who owns the name: a name on the internet that
points into the operator's own network, or at a cloud's metadata service, would carry keys and prompts there (SSRF, DNS
rebinding). So:

    base URL's host                             may be
    localhost                                   loopback
    an IP address, loopback or private          itself
    any other name                              public addresses; private ones where the provider is `private`
    link-local (cloud metadata), multicast ...  where the provider is `private`
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")))
"""Metadata services outside of the link-local ranges: AWS's on IPv6, Alibaba Cloud's, Azure's, which looks public."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Origin(NamedTuple):
    """A server, as far as connections to it are concerned."""

    secure: bool
    """TLS."""
    host: str
    """Name or address, as the certificate must state it."""
    port: int
    """TCP port."""
    private: bool = False
    """Its name may stand for an address that is not public."""
    kept: bool = True
    """Connections are kept for further calls."""


def _inside(address: ipaddress.IPv6Address) -> Address:
    """The IPv4 address that packets for an IPv6 one go to in the end, where there is one: mapped, 6to4 or NAT64."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def literal(host: str) -> Address | None:
    """The address that a host is, where it is no name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def refusal(origin: Origin, address: str) -> str | None:
    """Why an address of the origin may not be called: a clause; None where it may."""
    found = literal(address)
    if found is None:
        return "no IP address"
    if isinstance(found, ipaddress.IPv6Address):
        found = _inside(found)
    if origin.private:
        return None
    if found.is_link_local or found in _METADATA:
        return "link-local, where clouds keep their metadata"
    if found.is_multicast or found.is_unspecified:
        return "no address of one machine"
    if found.is_global or literal(origin.host) is not None:
        return None
    local = origin.host == "localhost" or origin.host.endswith(".localhost")
    return None if found.is_loopback and local else "not public"
