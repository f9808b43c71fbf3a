"""What `kubectl apply -k` of each overlay brings, as a real API server takes it."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from support import apiserver
from support.apiserver import REPOSITORY
from tunewright.cli.main import cli
from tunewright.controller.kube.config import read_config
from tunewright.controller.kube.labels import SERVED_AT

pytestmark = apiserver.NEEDED

DEPLOY = REPOSITORY / "deploy"
OVERLAYS = sorted(path.name for path in (DEPLOY / "overlays").iterdir())
ISTIO = (
    ("networking.istio.io", "VirtualService", "virtualservices"),
    ("security.istio.io", "AuthorizationPolicy", "authorizationpolicies"),
)
CLUSTER_SCOPED = {
    *("ClusterRole", "ClusterRoleBinding", "Namespace", "MutatingWebhookConfiguration"),
}


@pytest.fixture(scope="module")
def server(api_server):
    """Return the server with what an overlay expects: namespaces, and accounts for its pods."""
    api_server.kubectl("apply", "--filename", str(DEPLOY / "base" / "namespace.yaml"))
    api_server.kubectl("apply", "--filename", str(DEPLOY / "base" / "accounts.yaml"))
    for name in ("kubeflow", "default", "istio-system"):
        api_server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    for name in ("default", "tunewright-page"):
        account = {"metadata": {"name": name, "namespace": "tunewright"}}
        api_server.ask("POST", "/api/v1/namespaces/tunewright/serviceaccounts", account)
    istio = "".join(f"---\n{json.dumps(definition(*each))}\n" for each in ISTIO)
    api_server.kubectl("apply", "--filename", "-", given=istio)
    api_server.kubectl("wait", "--for=condition=established", "crd", "--all")
    yield api_server
    api_server.kubectl("delete", "--filename", "-", given=istio)
    api_server.kubectl("delete", "--filename", str(DEPLOY / "base" / "accounts.yaml"))


def definition(group: str, kind: str, plural: str) -> dict[str, Any]:
    """Return a definition of somebody else's, which takes whatever it is given."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1beta1", "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": "Namespaced",
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def rendered(server, folder: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(server.kubectl("kustomize", str(folder))))


def templates(documents: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield every pod's template, with the volumes that a StatefulSet adds."""
    for each in documents:
        if each["kind"] in {"Deployment", "StatefulSet"}:
            template = each["spec"]["template"]
            for claim in each["spec"].get("volumeClaimTemplates", ()):
                source = {"claimName": claim["metadata"]["name"]}
                volume = {"name": claim["metadata"]["name"], "persistentVolumeClaim": source}
                template["spec"]["volumes"].append(volume)
            yield template


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_server_takes_every_object_of_an_overlay(server, overlay):
    folder = str(DEPLOY / "overlays" / overlay)

    assert server.kubectl("apply", "--dry-run=server", "--kustomize", folder)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_one_that_restricted_namespaces_take(server, overlay):
    found = list(templates(rendered(server, DEPLOY / "overlays" / overlay)))

    assert found
    for number, template in enumerate(found):
        pod = {"apiVersion": "v1", "kind": "Pod", **template}
        pod["metadata"] |= {"name": f"pod-{number}", "namespace": "tunewright"}
        server.kubectl("create", "--dry-run=server", "--filename", "-", given=json.dumps(pod))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_container_can_write_to_its_root(server, overlay):
    for template in templates(rendered(server, DEPLOY / "overlays" / overlay)):
        for container in template["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert {"requests", "limits"} == container["resources"].keys()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_databases_and_who_brings_their_schema_to_its_version_may_take_an_hour(server, overlay):
    """Nothing is served meanwhile, and what is ended in the middle begins anew, or worse."""
    found = [
        container
        for template in templates(rendered(server, DEPLOY / "overlays" / overlay))
        for container in template["spec"]["containers"]
        if container["name"] in {"metrics", "standalone", "mysql", "postgres"}
    ]

    assert found
    for container in found:
        probe = container["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 3600


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_katib_s_clients_find_the_metrics_service_at_the_address_of_katib_s(server, overlay):
    documents = rendered(server, DEPLOY / "overlays" / overlay)
    services = {each["metadata"]["name"]: each for each in documents if each["kind"] == "Service"}

    katib = services["katib-db-manager"]
    assert katib["metadata"]["namespace"] == "kubeflow"
    assert katib["spec"]["externalName"].startswith("tunewright-metrics.tunewright.svc")
    assert 6789 in {port["port"] for port in services["tunewright-metrics"]["spec"]["ports"]}


def test_without_a_whole_cluster_nothing_is_the_cluster_s_but_the_namespace(server):
    documents = rendered(server, DEPLOY / "overlays" / "namespaced")

    assert {each["kind"] for each in documents} & CLUSTER_SCOPED == {"Namespace"}


def test_the_metrics_service_of_named_namespaces_may_follow_pods_there_and_its_own(server):
    documents = rendered(server, DEPLOY / "overlays" / "namespaced")
    named = {(each["kind"], each["metadata"]["name"]): each for each in documents}
    template = named["Deployment", "tunewright-metrics"]["spec"]["template"]["spec"]
    (container,) = template["containers"]
    maps = {each["name"]: each["configMap"]["name"] for each in template["volumes"]
            if "configMap" in each}  # fmt: skip
    granted = [each for each in documents if each["kind"] in {"Role", "RoleBinding"}]
    given = "".join(f"---\n{json.dumps(each)}\n" for each in granted)
    server.kubectl("apply", "--filename", "-", given=given)
    who = "--as=system:serviceaccount:tunewright:tunewright-metrics"
    try:
        for namespace in ("default", "tunewright"):
            assert server.kubectl("auth", "can-i", "list", "pods", who, "-n", namespace)
    finally:
        server.kubectl("delete", "--filename", "-", given=given)

    assert "--config=/etc/tunewright/config.yaml" in container["args"]
    assert ("ConfigMap", maps["config"]) in named


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_there_are_roles_for_people_wherever_experiments_are(server, overlay):
    documents = rendered(server, DEPLOY / "overlays" / overlay)
    kind = "Role" if overlay == "namespaced" else "ClusterRole"
    roles = {each["metadata"]["name"] for each in documents if each["kind"] == kind}

    assert {"tunewright-view", "tunewright-edit", "tunewright-admin"} <= roles


def test_a_tenant_s_roles_say_what_the_cluster_roles_say(server):
    of_tenant = {
        each["metadata"]["name"]: each["rules"]
        for each in rendered(server, DEPLOY / "tenant")
        if each["kind"] == "Role"
    }
    of_cluster = {each["metadata"]["name"]: each["rules"] for each in rendered(server, ROLES)}

    assert of_tenant == of_cluster


@pytest.mark.parametrize("overlay", [name for name in OVERLAYS if name != "namespaced"])
def test_the_api_server_finds_the_operator_that_is_asked_about_pods(server, overlay):
    documents = rendered(server, DEPLOY / "overlays" / overlay)
    named = {(each["kind"], each["metadata"]["name"]): each for each in documents}
    service = named["Service", "tunewright-webhook"]["spec"]
    (port,) = service["ports"]
    asked = [
        (spec["args"], {each["name"]: each["containerPort"] for each in spec["ports"]})
        for template in templates(documents)
        if service["selector"].items() <= template["metadata"]["labels"].items()
        for spec in template["spec"]["containers"]
    ]
    policy = named["NetworkPolicy", "tunewright-webhook"]["spec"]
    webhooks = named["MutatingWebhookConfiguration", "tunewright-pods"]

    ((args, ports),) = asked
    assert f"--webhook-port={ports[port['targetPort']]}" in args
    assert policy["podSelector"]["matchLabels"] == service["selector"]
    assert policy["ingress"][0]["ports"][0]["port"] == port["targetPort"]
    assert (
        webhooks["metadata"]["annotations"][SERVED_AT]
        == "https://tunewright-webhook.tunewright.svc"
    )
    assert "webhooks" not in webhooks  # what the operator writes stays when it is applied again


ROLES = DEPLOY / "roles"


def together(server, folder: Path, *components: str) -> list[dict[str, Any]]:
    """Render an overlay as a user writes one."""

    def relative(place: str) -> str:
        return str(Path(*[".."] * len(folder.parts[1:]), *(DEPLOY / place).parts[1:]))

    kustomization = {
        "resources": [relative("base")],
        "components": [relative(f"components/{each}") for each in components],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    return rendered(server, folder)


def test_kubeflow_is_served_by_two_of_each_over_a_database_of_theirs(server, tmp_path):
    found = together(
        *(server, tmp_path, "cluster-wide", "services", "external-db"),
        *("high-availability", "kubeflow"),
    )

    deployments = [each["spec"] for each in found if each["kind"] == "Deployment"]
    labels = [each["template"]["metadata"]["labels"] for each in deployments]
    assert [each["replicas"] for each in deployments] == [2, 2, 2]
    assert all(each["sidecar.istio.io/inject"] == "false" for each in labels)


def test_the_page_fits_every_way_to_run_and_needs_no_gateway(server, tmp_path):
    found = together(server, tmp_path, "cluster-wide", "standalone", "page")

    (page,) = (each for each in found if each["kind"] == "Deployment"
               and each["metadata"]["name"] == "tunewright-page")  # fmt: skip
    (container,) = page["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["serve", "page", "--port=8080"]
    assert "VirtualService" not in {each["kind"] for each in found}


def test_beside_kubeflow_only_its_gateway_may_name_the_users_of_the_page(server):
    found = rendered(server, DEPLOY / "overlays" / "kubeflow")

    named = {(each["kind"], each["metadata"]["name"]): each for each in found}
    policy = named["NetworkPolicy", "tunewright-page"]["spec"]["ingress"]
    service = named["VirtualService", "tunewright-page"]["spec"]["http"][0]["route"][0]
    (container,) = named["Deployment", "tunewright-page"]["spec"]["template"]["spec"]["containers"]
    assert {"--base-path=/tunewright/", "--user-header=kubeflow-userid"} <= {*container["args"]}
    assert service["destination"]["host"].startswith("tunewright-page.tunewright.svc")
    assert [sorted(each) for rule in policy for each in rule["from"]] == [
        ["namespaceSelector", "podSelector"]
    ]


def test_openshift_chooses_the_users_of_pods(server, tmp_path):
    found = together(server, tmp_path, "cluster-wide", "services", "postgres", "openshift")

    for template in templates(found):
        assert template["spec"]["securityContext"].keys() == {"runAsNonRoot", "seccompProfile"}


def reached(documents: list[dict[str, Any]], component: str) -> list[dict[str, Any]]:
    """Return the rules of all policies by which pods of a component reach others."""
    pod = {"app.kubernetes.io/component": component}
    return [
        rule
        for each in documents
        if each["kind"] == "NetworkPolicy" and selects(each["spec"]["podSelector"], pod)
        for rule in each["spec"].get("egress", ())
    ]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ())
    )


@pytest.mark.parametrize(
    ("way", "component"),
    [
        (["standalone"], "standalone"),
        (["services", "postgres"], "operator"),
        (["services", "postgres"], "metrics"),
    ],
)
def test_plug_ins_are_reached_at_whatever_port_their_pods_have(server, tmp_path, way, component):
    found = together(server, tmp_path, "cluster-wide", *way)

    anywhere = {"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "TCP"}]}
    assert anywhere in reached(found, component)


@pytest.mark.parametrize(
    ("way", "component"),
    [
        (["standalone"], "standalone"),
        (["services", "postgres"], "operator"),
        (["services", "postgres"], "metrics"),
        (["services", "postgres", "page"], "page"),
    ],
)
def test_names_are_asked_for_at_the_port_of_openshifts_pods(server, tmp_path, way, component):
    found = together(server, tmp_path, "cluster-wide", *way, "openshift")

    ports = [port for rule in reached(found, component) for port in rule.get("ports", ())]
    assert {"port": 5353, "protocol": "UDP"} in ports


@pytest.mark.parametrize("component", ["tls", "cert-manager"])
def test_the_metrics_service_speaks_tls_with_a_certificate_of_theirs(server, tmp_path, component):
    found = together(server, tmp_path, "cluster-wide", "services", "postgres", component)

    (metrics,) = (each for each in found if each["metadata"]["name"] == "tunewright-metrics"
                  and each["kind"] == "Deployment")  # fmt: skip
    spec = metrics["spec"]["template"]["spec"]
    secrets = [each["secret"]["secretName"] for each in spec["volumes"] if "secret" in each]
    made = [each["spec"]["secretName"] for each in found if each["kind"] == "Certificate"]
    assert "--tls-cert=/etc/tunewright/tls/tls.crt" in spec["containers"][0]["args"]
    assert secrets == ["tunewright-metrics-tls"]
    assert made in ([], secrets)


def test_without_a_volume_nothing_is_claimed(server, tmp_path):
    found = together(server, tmp_path, "cluster-wide", "standalone", "ephemeral")

    (template,) = templates(found)
    assert {"name": "data", "emptyDir": {}} in template["spec"]["volumes"]
    assert "PersistentVolumeClaim" not in {each["kind"] for each in found}


def test_acting_as_accounts_is_a_role_that_nobody_has_until_it_is_bound(server, tmp_path):
    without = together(server, tmp_path, "cluster-wide", "services", "postgres")
    found = together(server, tmp_path, "cluster-wide", "services", "postgres", "impersonation")

    (added,) = (each for each in found if each not in without)
    assert added["kind"] == "ClusterRole"
    assert added["rules"][0]["verbs"] == ["get", "impersonate"]


def options_of(words: list[str]) -> set[str]:
    """Return the options of the command that some words name."""
    command, context = cli, click.Context(cli)
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(context, word)
        assert found, word
        command = found
    return {option for each in command.params for option in each.opts}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_is_started_with_options_that_its_command_has(server, overlay):
    for template in templates(rendered(server, DEPLOY / "overlays" / overlay)):
        for container in template["spec"]["containers"]:
            words = [word for word in container.get("args", ()) if not word.startswith("-")]
            told = {word.partition("=")[0] for word in container.get("args", ())} - {*words}
            assert told <= options_of(words), container["args"]


@pytest.mark.parametrize("file", sorted(DEPLOY.rglob("config.yaml")), ids=str)
def test_the_operator_understands_the_settings_that_come_with_it(file):
    settings = read_config(file)

    assert settings.metrics == "tunewright-metrics.tunewright:6789"


def test_images_carry_the_version_of_the_package(server):
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    documents = rendered(server, DEPLOY / "overlays" / "standalone")
    (template,) = templates(documents)

    assert template["spec"]["containers"][0]["image"] == f"tunewright:{version}"
    assert read_config(DEPLOY / "base" / "config.yaml").collector.image == (
        f"tunewright-collector:{version}"
    )
