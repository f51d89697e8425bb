"""Serves a GGUF file on 127.0.0.1 with llama.cpp's own HTTP server, from the xllamacpp wheel.

Prints `LISTENING http://127.0.0.1:PORT` once it is ready, and serves until SIGTERM.

usage: serve_tiny.py MODEL.gguf [--ctx TOKENS_PER_SLOT] [--slots N] [--api-key KEY]
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys

import xllamacpp


def main() -> None:
    """Read the command line, serve, and end with status 0 when told to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--ctx", type=int, default=2048)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--api-key")
    arguments = parser.parse_args()

    # Blocked before the server starts its threads, so that none of them takes the signal.
    ending = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    server = xllamacpp.Server(settings(arguments))
    sys.stdout.write(f"LISTENING {server.listening_address}\n")
    sys.stdout.flush()
    signal.sigwait(ending)
    del server


def settings(arguments: argparse.Namespace) -> xllamacpp.CommonParams:
    """llama.cpp's parameters: one thread, no page of its own, slots that can be looked at."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = arguments.model
    parameters.model_alias = {"tiny"}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = free_port()
    parameters.n_parallel = arguments.slots
    parameters.n_ctx = arguments.ctx * arguments.slots
    parameters.kv_unified = False
    parameters.cpuparams.n_threads = 1
    parameters.warmup = False
    parameters.use_jinja = True
    parameters.ui = False
    parameters.endpoint_slots = True
    parameters.verbosity = 0
    if arguments.api_key:
        parameters.api_keys = [arguments.api_key]
    return parameters


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
