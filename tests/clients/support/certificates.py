"""Certificates made on the spot, for gateways and clients that are to speak TLS.

Owns files in a directory that the caller names. Never trusted by anybody but the tests.
"""

from __future__ import annotations

import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


def write_certificate(directory):
    """A certificate for 127.0.0.1 that signs itself; returns its file and that of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    addresses = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    certificate = _begun("localhost", "localhost", key).add_extension(addresses, critical=False)
    return _written(directory, "server", certificate.sign(key, hashes.SHA256()), key)


class Authority:
    """Signs certificates of clients; `file` holds its own."""

    def __init__(self, directory: pathlib.Path):
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = x509.BasicConstraints(ca=True, path_length=None)
        certificate = _begun("authority", "authority", self._key).add_extension(own, critical=True)
        self.file, _ = _written(
            directory, "authority", certificate.sign(self._key, hashes.SHA256()), self._key
        )

    def certificate_of(self, name: str) -> tuple[str, str]:
        """A client's certificate; returns its file and that of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _begun(name, "authority", key).sign(self._key, hashes.SHA256())
        return _written(self._directory, name, certificate, key)


def _begun(subject: str, issuer: str, key) -> x509.CertificateBuilder:
    def named(name):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )


def _written(directory, name: str, certificate: x509.Certificate, key) -> tuple[str, str]:
    certificate_file, key_file = directory / f"{name}.crt", directory / f"{name}.key"
    certificate_file.write_bytes(certificate.public_bytes(PEM))
    unencrypted = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, unencrypted))
    return str(certificate_file), str(key_file)
