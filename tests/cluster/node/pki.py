"""Keys and certificates: one authority, and everybody it vouches for."""

import base64
import subprocess
from pathlib import Path

from .layout import API, FIRST_SERVICE, NODE, NODE_NAME, STATE

FOLDER = STATE / "pki"
AUTHORITY = FOLDER / "ca.crt"

CURVE = ("-pkeyopt", "ec_paramgen_curve:P-256")
NEW = ("-newkey", "ec", *CURVE, "-nodes")

_SERVER = ", ".join(
    [
        *(f"DNS:kubernetes{rest}" for rest in ("", ".default", ".default.svc")),
        *("DNS:kubernetes.default.svc.cluster.local", "DNS:localhost", f"DNS:{NODE_NAME}"),
        *("IP:127.0.0.1", f"IP:{NODE}", f"IP:{FIRST_SERVICE}"),
    ]
)
SUBJECTS = {
    "apiserver": "/CN=kube-apiserver",
    "apiserver-kubelet": "/O=system:masters/CN=kube-apiserver-kubelet-client",
    "front-proxy": "/CN=front-proxy",
    "admin": "/O=system:masters/CN=admin",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "coredns": "/O=system:masters/CN=coredns",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE_NAME}",
}


def make() -> None:
    """Make all keys and certificates anew."""
    FOLDER.mkdir(parents=True, exist_ok=True, mode=0o700)
    _openssl(
        *("req", "-x509", *NEW, "-days", "365", "-subj", "/CN=cluster"),
        *("-keyout", FOLDER / "ca.key", "-out", AUTHORITY),
    )
    accounts = FOLDER / "accounts.key"
    _openssl("genpkey", "-algorithm", "EC", *CURVE, "-out", accounts)
    _openssl("pkey", "-in", accounts, "-pubout", "-out", FOLDER / "accounts.pub")
    extensions = FOLDER / "extensions"
    extensions.write_text(
        "keyUsage=digitalSignature,keyEncipherment\n"
        f"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={_SERVER}\n"
    )
    for name, subject in SUBJECTS.items():
        request = FOLDER / f"{name}.csr"
        _openssl(
            *("req", *NEW, "-subj", subject),
            *("-keyout", key(name), "-out", request),
        )
        _openssl(
            *("x509", "-req", "-in", request, "-CA", AUTHORITY, "-CAkey", FOLDER / "ca.key"),
            *("-CAcreateserial", "-days", "365", "-extfile", extensions, "-out", certificate(name)),
        )


def certificate(name: str) -> Path:
    return FOLDER / f"{name}.crt"


def key(name: str) -> Path:
    return FOLDER / f"{name}.key"


def kubeconfig(name: str) -> str:
    """Return a kubeconfig, everything in it, for one of the subjects."""

    def data(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    return f"""\
apiVersion: v1
kind: Config
clusters:
- name: tunewright
  cluster:
    server: {API}
    certificate-authority-data: {data(AUTHORITY)}
contexts:
- name: tunewright
  context: {{cluster: tunewright, user: {name}, namespace: default}}
current-context: tunewright
users:
- name: {name}
  user:
    client-certificate-data: {data(certificate(name))}
    client-key-data: {data(key(name))}
"""


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
