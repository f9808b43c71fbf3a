"""Where the cluster keeps what it needs, and the addresses it uses."""

import os
from pathlib import Path

KUBERNETES = "1.36.3"

REPOSITORY = Path(__file__).parents[3]
SOURCES = Path(__file__).parents[1] / "go"
OVERLAY = Path(__file__).parents[1] / "overlay"
FRONT = REPOSITORY / ".cluster"
"""What people use: `kubeconfig` and `bin/kubectl`."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "tunewright-cluster"
"""What is made once: programs and images, each under a hash of what it is made from."""
STATE = CACHE / "node"
"""All that the node writes; removed with it."""

NETWORK = "10.213.0.0/16"  # all of its addresses
PODS = "10.213.0.0/20"
FIRST_POD = "10.213.0.10"
NODE = "10.213.0.1"
HARDWARE = "0a:58:0a:d5:00:01"
HOST = "10.213.0.2"  # this machine, as pods see it
SERVICES = "10.213.16.0/20"
FIRST_SERVICE = "10.213.16.1"
DNS = "10.213.16.10"
DNS_PORT = 10053
DNS_READY = f"http://{NODE}:10055/ready"

BOX = "box"  # the name of its first process
BRIDGE = "pods"  # within the box
LINK = "tunewright"  # from this machine to the bridge
GROUP = "tunewright-cluster"  # above the control groups of all pods
NODE_NAME = "node-1"
API_PORT = 6443
API = f"https://{NODE}:{API_PORT}"
ETCD = "http://127.0.0.1:2379"
CONTAINERD = "/run/containerd/containerd.sock"

REGISTRY = "tunewright.test"
"""Before the names of images that are made here, and could be pulled from nowhere."""
BUSYBOX = f"{REGISTRY}/busybox:1"
PYTHON = "docker.io/library/python:3.11-slim"
"""What pods call `python:3.11-slim`: Debian's Python under that name."""
