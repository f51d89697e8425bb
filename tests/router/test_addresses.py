"""What counts as the public internet."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.addresses import is_public

INSIDE_V4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
INSIDE_V6 = (
    "::/32", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "2002::/16", "3fff::/20",
    "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)  # fmt: skip
NAT64 = int(IPv6Address("64:ff9b::"))
V4 = st.ip_addresses(v=4)


@pytest.mark.parametrize("network", [*INSIDE_V4, *INSIDE_V6])
def test_networks_with_a_purpose_of_their_own_are_not_public_to_the_last_address(network: str) -> None:
    block = ip_network(network)
    assert not is_public(block.network_address)
    assert not is_public(block.broadcast_address)


@given(st.sampled_from(INSIDE_V4).flatmap(lambda network: st.ip_addresses(network=IPv4Network(network))))
def test_no_address_of_them_is(address: IPv4Address) -> None:
    assert not is_public(address)


@given(st.sampled_from(INSIDE_V6).flatmap(lambda network: st.ip_addresses(network=IPv6Network(network))))
def test_no_longer_address_of_them_is(address: IPv6Address) -> None:
    assert not is_public(address)


@given(V4)
def test_an_ipv4_address_inside_an_ipv6_address_opens_no_door(address: IPv4Address) -> None:
    inside = int(address)
    assert not is_public(IPv6Address(0xFFFF << 32 | inside))  # mapped
    assert not is_public(IPv6Address(inside))  # compatible
    assert not is_public(IPv6Address(0x2002 << 112 | inside << 80))  # 6to4
    assert not is_public(IPv6Address(0x20010000 << 96 | inside << 64 | inside ^ 0xFFFFFFFF))  # Teredo
    assert is_public(IPv6Address(NAT64 | inside)) == is_public(address)


@given(st.ip_addresses())
def test_what_python_knows_to_be_private_never_is(address: IPv4Address | IPv6Address) -> None:
    if is_public(address) and int(address) >> 32 != NAT64 >> 32:
        assert address.is_global
        assert not any(
            (address.is_multicast, address.is_reserved, address.is_loopback, address.is_link_local)
        )


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808"],
)
def test_places_that_everybody_knows_are(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["168.63.129.16", "192.0.0.192", "100.100.100.200", "fd00:ec2::254", "fe80::1%1"]
)
def test_the_metadata_of_clouds_is_not(address: str) -> None:
    assert not is_public(ip_address(address))


def test_an_address_of_one_link_is_not_whatever_it_says() -> None:
    assert not is_public(IPv6Address("2606:4700:4700::1111%eth0"))
