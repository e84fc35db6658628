"""TLS keeps the name while the connection goes to the address."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.images.cast import (
    NAME,
    RoutedPolicy,
    asked,
    loader,
    picture,
    refusal,
    serving,
    site,
)

if TYPE_CHECKING:
    from pathlib import Path

URL = f"http://{NAME}/a.png"
PNG = picture()


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server with a certificate, and of who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    file = folder / "server.pem"
    file.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=pem.decode())


async def test_tls_is_spoken_with_the_name_not_with_the_address(tmp_path: Path) -> None:
    server, client = _certificate(tmp_path, NAME)
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)

    async with site(serving(PNG), tls=server) as it:
        policy = RoutedPolicy(it.port)
        loaded = await loader(policy, tls=client).load(asked(f"https://{NAME}/a"))

    assert loaded.images[0].data == PNG
    assert names == [NAME]
    assert f"\r\nhost: {NAME}\r\n" in it.heads[0].lower()


async def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    server, client = _certificate(tmp_path, "other.test")

    async with site(serving(PNG), tls=server) as it:
        loads = loader(RoutedPolicy(it.port), tls=client)
        error = await refusal(loads, f"https://{NAME}/a")
        unknown = await refusal(loader(RoutedPolicy(it.port)), f"https://{NAME}/a")

    assert (error.code, unknown.code) == ("image_fetch_failed", "image_fetch_failed")
    assert it.heads == []
