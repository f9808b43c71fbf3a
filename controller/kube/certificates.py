"""Certificates of our own making, for those whom the API server calls.

Each replica makes one when it starts, and asks for its trust: the key is never kept.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFE = timedelta(days=3650)
_TRUSTED = 8
"""How many certificates are trusted at once: more than there are replicas."""

_END = "-----END CERTIFICATE-----\n"


@contextmanager
def certificate(host: str) -> Iterator[tuple[str, str, str]]:
    """Make one for a host name: its PEM text, and for a block the files of it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    # Each has a name of its own, by which the right one of several is found.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"tunewright {now.timestamp()}")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = made.public_bytes(serialization.Encoding.PEM).decode()
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with TemporaryDirectory(prefix="tunewright-tls-") as folder:
        files = Path(folder, "tls.crt"), Path(folder, "tls.key")
        files[0].write_text(text)
        files[1].touch(mode=0o600)
        files[1].write_bytes(secret)
        yield text, str(files[0]), str(files[1])


def with_authority(bundle: str, text: str) -> str:
    """Add a certificate to a `caBundle`, unless it is there; the oldest of too many goes."""
    known = base64.b64decode(bundle).decode()
    others = [each + _END for each in known.split(_END) if each.strip()]
    if text in others:
        return bundle
    return base64.b64encode("".join([*others, text][-_TRUSTED:]).encode()).decode()
