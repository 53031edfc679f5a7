"""What may be called is decided on addresses, not on names."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from noria.core.errors import CallFailed
from noria.targets.egress import Callee, Egress, Origin, Timeouts
from noria.targets.egress.addresses import refusal


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("api.example.com", "93.184.216.34"),
        ("api.example.com", "2606:2800:220:1:248:1893:25c8:1946"),
        ("localhost", "127.0.0.1"),
        ("localhost", "::1"),
        ("engine.localhost", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("fd00::1", "fd00::1"),
    ],
)
def test_public_addresses_and_those_that_are_written_down_may_be_called(host: str, address: str) -> None:
    assert refusal(Origin(True, host, 443), address) is None


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("rebound.example.com", "127.0.0.1"),
        ("rebound.example.com", "::1"),
        ("rebound.example.com", "10.0.0.1"),
        ("rebound.example.com", "172.17.0.2"),
        ("rebound.example.com", "192.168.1.1"),
        ("rebound.example.com", "100.64.0.1"),
        ("rebound.example.com", "169.254.169.254"),
        ("rebound.example.com", "0.0.0.0"),  # it is refused
        ("rebound.example.com", "168.63.129.16"),  # Azure's metadata: public to look at
        ("rebound.example.com", "fe80::1"),
        ("rebound.example.com", "fd00:ec2::254"),
        ("rebound.example.com", "::ffff:127.0.0.1"),
        ("rebound.example.com", "64:ff9b::7f00:1"),
        ("rebound.example.com", "2002:7f00:1::"),
        ("rebound.example.com", "224.0.0.1"),
        ("localhost", "10.0.0.1"),
        ("localhost", "93.184.216.300"),
        ("169.254.169.254", "169.254.169.254"),
        ("fd00:ec2::254", "fd00:ec2::254"),
        ("::ffff:169.254.169.254", "::ffff:169.254.169.254"),
    ],
)
def test_what_is_inside_may_not_be_called_by_a_name_from_outside(host: str, address: str) -> None:
    assert refusal(Origin(True, host, 443), address)
    if not address.endswith("300"):
        assert refusal(Origin(True, host, 443, private=True), address) is None


class Names:
    """A resolver whose answer changes with every question."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked += 1
        found = self.answers.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


async def test_the_address_that_was_checked_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that points outside when it is checked and inside when it is called: it is asked for once."""
    called: list[str] = []

    async def create_connection(make: Any, host: str, port: int, **_: Any) -> Any:
        called.append(host)
        raise ConnectionRefusedError

    loop, names = asyncio.get_running_loop(), Names(["127.0.0.1", "93.184.216.34", "93.184.216.35"])
    monkeypatch.setattr(loop, "getaddrinfo", names)
    monkeypatch.setattr(loop, "create_connection", create_connection)
    with pytest.raises(CallFailed, match="Nothing answers"):
        await post(Origin(True, "rebound.example.com", 443))
    assert called == ["93.184.216.34", "93.184.216.35"]
    assert names.asked == 1


async def test_a_name_that_points_inside_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", Names(["10.0.0.7"]))
    with pytest.raises(CallFailed) as raised:
        await post(Origin(True, "rebound.example.com", 443))
    assert "its address is not public" in str(raised.value)
    assert "10.0.0.7" not in str(raised.value)
    assert "10.0.0.7" in raised.value.inside
    assert "private = true" in raised.value.hint
    assert not raised.value.retryable


async def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody)
    with pytest.raises(CallFailed, match="has no address") as raised:
        await post(Origin(True, "nowhere.example.com", 443))
    assert raised.value.retryable


async def post(origin: Origin) -> None:
    egress = Egress()
    try:
        await egress.post(origin, b"", waits=Timeouts(connect_s=1), callee=Callee("provider `p`", "https://h/v1"))
    finally:
        await egress.aclose()
