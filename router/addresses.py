"""Which IP addresses belong to the public internet, so that nothing is fetched from behind the firewall.

Python's `is_global` follows IANA's registries as of its own release, and lets through what only looks public:
multicast, addresses that carry an IPv4 address inside, and what never left the registry's older pages. So the
networks that are refused stand here by themselves, and `is_global` has to agree besides.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_NOT_PUBLIC_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by carriers; also clouds' metadata
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's host, as its machines see it
            "169.254.0.0/16",  # link-local; also clouds' metadata
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments; also clouds' metadata
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # relays of 6to4, given up
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # measuring
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_UNICAST_V6 = IPv6Network("2000::/3")
"""All that is given out for public use; loopback, private, link-local and mapped addresses lie outside."""
_NOT_PUBLIC_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, which carries an IPv4 address, and others
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which carries an IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
"""How machines without IPv4 reach it: the last four bytes are the IPv4 address."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public internet's, for a single machine."""
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _NOT_PUBLIC_V4)
    if address.scope_id is not None:
        return False  # names a link of this machine
    if address in _NAT64:
        return is_public(IPv4Address(address.packed[-4:]))
    if address not in _UNICAST_V6 or any(address in network for network in _NOT_PUBLIC_V6):
        return False
    return address.is_global
