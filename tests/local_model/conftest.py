"""A programmed model of 1.3 MB behind llama.cpp's own HTTP server, started once for all tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@contextmanager
def llama_server(model: Path, *options: str) -> Iterator[str]:
    """The address of a server in a child process of its own, which ends with the context."""
    command = [sys.executable, str(HERE / "serve_tiny.py"), str(model), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("LISTENING "), f"the server ended early with {process.wait(5)}: {line!r}"
            yield line.split()[1]
        finally:
            process.terminate()
            assert process.wait(10) == 0


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model, written on the spot."""
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    subprocess.run([sys.executable, str(HERE / "make_tiny_gguf.py"), str(path)], check=True)
    return path


@pytest.fixture(scope="session")
def large_server(model_file: Path) -> Iterator[str]:
    """Four slots of 2,048 tokens."""
    with llama_server(model_file, "--slots", "4") as url:
        yield url


@pytest.fixture(scope="session")
def small_server(model_file: Path) -> Iterator[str]:
    """One slot of 256 tokens, which a few hundred characters overflow."""
    with llama_server(model_file, "--slots", "1", "--ctx", "256") as url:
        yield url


@pytest.fixture(scope="session")
def locked_server(model_file: Path) -> Iterator[str]:
    """Takes the key `right` alone."""
    with llama_server(model_file, "--slots", "1", "--api-key", "right") as url:
        yield url


@pytest.fixture(scope="session")
def endless_server(model_file: Path) -> Iterator[str]:
    """One slot so large that a prompt with `<loop>` goes on for many seconds."""
    with llama_server(model_file, "--slots", "1", "--ctx", "100000") as url:
        yield url
