"""A web server on loopback that gives files away, with or without TLS, for tests of what is fetched."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSListener
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PNG = b"\x89PNG\r\n\x1a\n" + bytes(24)
_LEFT = (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError, ssl.SSLError)
Answer = bytes | Callable[[ByteStream], Awaitable[None]]
"""What a path answers: the whole response, or what to do with the connection."""


def response(body: bytes = b"", *, status: str = "200 OK", **headers: str) -> bytes:
    """A whole HTTP response; underscores in the headers' names are hyphens."""
    lines = {"content-length": str(len(body)), **headers}
    head = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def redirect(location: str) -> bytes:
    return response(status="302 Found", location=location)


@dataclass
class Files:
    """A running server."""

    answers: Mapping[str, Answer]
    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of every request."""

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    async def connected(self, stream: ByteStream) -> None:
        async with stream:
            with suppress(*_LEFT):
                head = b""
                while b"\r\n\r\n" not in head:
                    head += await stream.receive()
                first, *lines = head.decode().partition("\r\n\r\n")[0].split("\r\n")
                path = first.split(" ")[1]
                fields = (line.partition(": ") for line in lines)
                self.asked.append((path, {name.lower(): value for name, _, value in fields}))
                answer = self.answers.get(path, response(status="404 Not Found"))
                await (stream.send(answer) if isinstance(answer, bytes) else answer(stream))


@asynccontextmanager
async def serving(
    answers: Mapping[str, Answer], *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Files]:
    """A server on `host` that answers each path so; it hangs up after every answer."""
    files = Files(answers)
    plain = await anyio.create_tcp_listener(local_host=host)
    port = plain.extra(SocketAttribute.local_port)
    listener = plain if tls is None else TLSListener(plain, tls, standard_compatible=False)
    files.url = f"{'http' if tls is None else 'https'}://{f'[{host}]' if ':' in host else host}:{port}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, files.connected)
        yield files
        tasks.cancel_scope.cancel()


def certificate_for(name: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for one name or address, and the file of the certificate to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "turnout test")])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "certificate.pem", folder / "key.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return context, trusted
