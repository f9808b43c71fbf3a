"""Where the cluster keeps what it needs, and the addresses it uses."""

import os
from pathlib import Path

KUBERNETES = "1.36.3"

REPOSITORY = Path(__file__).parents[3]
SOURCES = Path(__file__).parents[1] / "go"
FRONT = REPOSITORY / ".cluster"
"""What people use: `kubeconfig` and `bin/kubectl`."""
STATE = Path("/var/lib/tunewright-cluster")
"""All that the programs write; removed when the cluster is."""
RUN = Path("/run/tunewright-cluster")
"""Sockets and process numbers, where paths are short."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "tunewright-cluster"
"""What is made once: programs and images, each under a hash of what it is made from."""

BRIDGE = "tunewright0"
NODE = "10.244.0.1"  # the bridge's: no other interface takes part
PODS = "10.244.0.0/24"
NODE_NAME = "node-1"
API = f"https://{NODE}:6443"
SERVICES = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"
DNS = "10.96.0.10"
DNS_PORT = 10053
ETCD = "http://127.0.0.1:12379"
ETCD_PEER = "http://127.0.0.1:12380"
BUSYBOX = "tunewright.test/busybox:1"
PYTHON = "docker.io/library/python:3.11-slim"
"""What pods call `python:3.11-slim`: Debian's Python under that name."""
CONTAINERD = RUN / "containerd.sock"
