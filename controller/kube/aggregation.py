"""Standing behind the API server: a certificate of our own making, which its APIService trusts."""

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

from ...api.errors import Conflict
from .observations import GROUP, VERSION
from .port import Kube, Resource, version_of

API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices")

_NAME = f"{VERSION}.{GROUP}"
_LIFE = timedelta(days=3650)
_TRUSTED = 8
"""How many certificates an APIService trusts: each replica makes its own when it starts."""

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


async def trust(kube: Kube, text: str) -> None:
    """Let the API server trust a certificate."""
    while True:
        there = await kube.get(API_SERVICES, None, _NAME)
        known = base64.b64decode(there["spec"].get("caBundle") or "").decode()
        others = [each + _END for each in known.split(_END) if each.strip()]
        bundle = "".join([*others, text][-_TRUSTED:])
        spec = {"caBundle": base64.b64encode(bundle.encode()).decode()}
        patch = {"metadata": {"resourceVersion": version_of(there)}, "spec": spec}
        try:
            await kube.merge(API_SERVICES, None, _NAME, patch)
        except Conflict:
            continue  # another replica was faster
        return


async def host_of(kube: Kube) -> str:
    """Return the name by which the API server calls us: that of the Service in its APIService.

    Raises:
        NotFound: there is no APIService: nobody asked for this.
    """
    there = await kube.get(API_SERVICES, None, _NAME)
    service = there["spec"]["service"]
    return f"{service['name']}.{service['namespace']}.svc"
