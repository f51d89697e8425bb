"""An authority that issues certificates for servers on loopback: good ones, expired ones, its own."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)


class Authority:
    """Issues certificates; whoever trusts `file` trusts them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "turnout test authority")])
        self._made: dict[tuple[str, bool, bool], Path] = {}
        public = self._key.public_key()
        root = (
            self._builder(self._name, public, -_DAY, _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_USAGE, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(root.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str, *, expired: bool = False, self_signed: bool = False) -> ssl.SSLContext:
        """A server's TLS under a certificate for one name or address."""
        wanted = (name, expired, self_signed)
        if wanted not in self._made:
            self._made[wanted] = self._issue(*wanted)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._made[wanted])
        return context

    def _issue(self, name: str, expired: bool, self_signed: bool) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {len(self._made)}")])
        begins, ends = (-2 * _DAY, -_DAY) if expired else (-_DAY, _DAY)
        signing = key if self_signed else self._key
        certificate = (
            self._builder(subject, key.public_key(), begins, ends)
            .issuer_name(subject if self_signed else self._name)
            .add_extension(x509.SubjectAlternativeName([_named(name)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
            )
            .sign(signing, hashes.SHA256())
        )
        path = self._folder / f"{len(self._made)}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path

    def _builder(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, begins: dt.timedelta, ends: dt.timedelta
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).public_key(public)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now + begins).not_valid_after(now + ends)
        return builder.issuer_name(self._name) if subject == self._name else builder


_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _named(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
