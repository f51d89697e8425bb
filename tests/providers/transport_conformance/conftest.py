"""Every case runs over every road that ships, with nothing of the machine's own network settings."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from authority import Authority
from roads import ROADS, Road


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Issues the certificates that the roads trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="package", autouse=True)
def quick_collections() -> Iterator[None]:
    """Leaves what is there already out of the many collections that these tests ask for."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    """No proxy; one authority to trust, which also spares each transport the reading of all others."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))


@pytest.fixture(scope="session", params=ROADS)
def road_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def road(road_name: str) -> Road:
    """Makes a transport."""
    return ROADS[road_name]
