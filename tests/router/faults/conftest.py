"""Every fault is met by a router of its own, so making one has to be cheap."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def no_certificates(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder that holds none."""
    return str(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def trusting_nobody(monkeypatch: pytest.MonkeyPatch, no_certificates: str) -> None:
    """Loopback needs no certificates, and reading those of the world takes longer than all the rest."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", no_certificates)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for out of politeness (an error's body, the bytes behind an end) takes a moment here."""
    monkeypatch.setattr("turnout.wire._ERROR_PATIENCE", 0.01)
    monkeypatch.setattr("turnout.replies._DRAIN", 0.01)
