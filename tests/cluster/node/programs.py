"""What each program of the node is told: its arguments and its files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from . import pki
from .layout import (
    API_PORT,
    BRIDGE,
    BUSYBOX,
    CONTAINERD,
    DNS,
    DNS_PORT,
    ETCD,
    FIRST_POD,
    GROUP,
    NODE,
    NODE_NAME,
    PODS,
    SERVICES,
    STATE,
)

CONFIG = STATE / "config"
CNI = CONFIG / "cni"
AUDIT = STATE / "audit.log"
"""Every request to the API server, with who made it: what roles must allow."""

USERS = ("admin", "controller-manager", "scheduler", "proxy", "coredns", "kubelet")


def files() -> Mapping[Path, str]:
    """Return every file that a program reads, with its text."""
    kubeconfigs = {CONFIG / f"{user}.kubeconfig": pki.kubeconfig(user) for user in USERS}
    return {
        **kubeconfigs,
        CONFIG / "containerd.toml": CONTAINERD_TOML,
        CNI / "10-bridge.conflist": CNI_CONFLIST,
        CONFIG / "kubelet.yaml": KUBELET,
        CONFIG / "proxy.yaml": PROXY,
        CONFIG / "Corefile": COREFILE,
        CONFIG / "resolv.conf": f"nameserver {DNS}\n",
        CONFIG / "audit.yaml": AUDIT_POLICY,
        CONFIG / "dns.yaml": DNS_SERVICE,
    }


def containerd() -> Sequence[str]:
    return ("containerd", "--config", str(CONFIG / "containerd.toml"))


def etcd() -> Sequence[str]:
    return ("etcd", "--data-dir", "/var/lib/etcd", "--unsafe-no-fsync", "--log-level", "warn")


def apiserver() -> Sequence[str]:
    authority = str(pki.AUTHORITY)
    return (
        *("kube-apiserver", "--etcd-servers", ETCD, "--allow-privileged"),
        *("--advertise-address", NODE, "--secure-port", str(API_PORT)),
        *("--service-cluster-ip-range", SERVICES, "--authorization-mode", "Node,RBAC"),
        *("--enable-admission-plugins", "NodeRestriction"),
        *("--client-ca-file", authority, *_pair("tls-cert-file", "tls-private-key-file")),
        *("--kubelet-certificate-authority", authority),
        *("--kubelet-preferred-address-types", "InternalIP"),
        *("--kubelet-client-certificate", str(pki.certificate("apiserver-kubelet"))),
        *("--kubelet-client-key", str(pki.key("apiserver-kubelet"))),
        *("--service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
        *("--service-account-key-file", str(pki.FOLDER / "accounts.pub")),
        *("--service-account-signing-key-file", str(pki.FOLDER / "accounts.key")),
        *("--proxy-client-cert-file", str(pki.certificate("front-proxy"))),
        *("--proxy-client-key-file", str(pki.key("front-proxy"))),
        *("--requestheader-client-ca-file", authority),
        *("--requestheader-allowed-names", "front-proxy"),
        *("--requestheader-username-headers", "X-Remote-User"),
        *("--requestheader-group-headers", "X-Remote-Group"),
        *("--requestheader-extra-headers-prefix", "X-Remote-Extra-"),
        *("--audit-policy-file", str(CONFIG / "audit.yaml"), "--audit-log-path", str(AUDIT)),
    )


def _pair(certificate: str, key: str) -> Sequence[str]:
    return (
        *(f"--{certificate}", str(pki.certificate("apiserver"))),
        *(f"--{key}", str(pki.key("apiserver"))),
    )


def controller_manager() -> Sequence[str]:
    return (
        *("kube-controller-manager", *_as("controller-manager"), "--leader-elect=false"),
        "--use-service-account-credentials",
        *("--root-ca-file", str(pki.AUTHORITY)),
        *("--service-account-private-key-file", str(pki.FOLDER / "accounts.key")),
        *("--cluster-signing-cert-file", str(pki.AUTHORITY)),
        *("--cluster-signing-key-file", str(pki.FOLDER / "ca.key")),
    )


def scheduler() -> Sequence[str]:
    return ("kube-scheduler", *_as("scheduler"), "--leader-elect=false")


def kubelet() -> Sequence[str]:
    return (
        *("kubelet", *_as("kubelet"), "--config", str(CONFIG / "kubelet.yaml")),
        *("--node-ip", NODE, "--hostname-override", NODE_NAME),
    )


def proxy() -> Sequence[str]:
    return ("kube-proxy", "--config", str(CONFIG / "proxy.yaml"))


def coredns() -> Sequence[str]:
    return ("coredns", "-conf", str(CONFIG / "Corefile"))


def _as(user: str) -> Sequence[str]:
    return ("--kubeconfig", str(CONFIG / f"{user}.kubeconfig"))


CONTAINERD_TOML = f"""\
version = 2

[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{BUSYBOX}"
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{CNI}"
"""

CNI_CONFLIST = f"""\
{{
  "cniVersion": "0.4.0",
  "name": "tunewright",
  "plugins": [
    {{
      "type": "bridge",
      "bridge": "{BRIDGE}",
      "isDefaultGateway": true,
      "ipMasq": true,
      "hairpinMode": true,
      "ipam": {{"type": "host-local", "subnet": "{PODS}", "rangeStart": "{FIRST_POD}"}}
    }},
    {{"type": "portmap", "capabilities": {{"portMappings": true}}}}
  ]
}}
"""

# Control groups of the first version, and a disk that the kubelet's own inspection does not know.
KUBELET = f"""\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {{enabled: false}}
  webhook: {{enabled: true}}
  x509: {{clientCAFile: {pki.AUTHORITY}}}
authorization: {{mode: Webhook}}
tlsCertFile: {pki.certificate("kubelet")}
tlsPrivateKeyFile: {pki.key("kubelet")}
containerRuntimeEndpoint: unix://{CONTAINERD}
resolvConf: {CONFIG}/resolv.conf
cgroupDriver: cgroupfs
cgroupRoot: /{GROUP}
failCgroupV1: false
localStorageCapacityIsolation: false
failSwapOn: false
clusterDNS: [{DNS}]
clusterDomain: cluster.local
imageGCHighThresholdPercent: 100
maxPods: 250
evictionHard: {{memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}}
"""

PROXY = f"""\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {{kubeconfig: {CONFIG}/proxy.kubeconfig}}
clusterCIDR: {PODS}
hostnameOverride: {NODE_NAME}
conntrack: {{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}
"""

COREFILE = f"""\
.:{DNS_PORT} {{
    bind {NODE}
    errors
    ready {NODE}:10055
    cache 5
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {CONFIG}/coredns.kubeconfig
        ttl 5
    }}
}}
"""

AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  userGroups: ["system:nodes", "system:masters"]
- level: None
  users: ["system:kube-scheduler", "system:kube-controller-manager", "system:kube-proxy"]
- level: Metadata
"""

# CoreDNS runs on the node, beside the pods that ask it.
DNS_SERVICE = f"""\
apiVersion: v1
kind: Service
metadata: {{name: kube-dns, namespace: kube-system}}
spec:
  clusterIP: {DNS}
  ports:
  - {{name: dns, port: 53, protocol: UDP, targetPort: {DNS_PORT}}}
  - {{name: dns-tcp, port: 53, protocol: TCP, targetPort: {DNS_PORT}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: kube-dns
  namespace: kube-system
  labels: {{kubernetes.io/service-name: kube-dns}}
addressType: IPv4
endpoints: [{{addresses: [{NODE}]}}]
ports:
- {{name: dns, port: {DNS_PORT}, protocol: UDP}}
- {{name: dns-tcp, port: {DNS_PORT}, protocol: TCP}}
"""
