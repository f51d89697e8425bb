"""pytest fixtures over the simulator; installed with turnout, and loaded only where they are used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .server import Simulator


@pytest.fixture
def turnout_simulator() -> Iterator[Simulator]:
    """A started provider simulator in a thread of its own, for sync and async tests alike.

    `.script(model, *replies)` says what a model answers, `.url` is the base URL to configure, and
    `.requests` holds what came. Models without a script repeat the user's last message.
    """
    # Imported here, so that a test run that never asks for it does not load the server.
    from .server import Simulator

    with Simulator().serving() as simulator:
        yield simulator
