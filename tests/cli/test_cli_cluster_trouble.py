"""What a person is told when a cluster cannot be reached, or does not let them."""

import json
import socket

import pytest
from support import apiserver
from support.apiserver import NEEDED, kubeconfig_of
from support.operated import experiment

KINDS = {"apiGroups": ["kubeflow.org"], "resources": ["experiments", "trials"]}
LOOKING = {**KINDS, "verbs": ["get", "list", "watch"]}


def config(url, **cluster):
    """A kubeconfig of one context, `there`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "there", "cluster": {"server": url, **cluster}}],
        "users": [{"name": "me", "user": {"token": "secret"}}],
        "contexts": [{"name": "there", "context": {"cluster": "there", "user": "me"}}],
        "current-context": "there",
    }


@pytest.fixture
def kubeconfig(tmp_path):
    def write(document):
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(document))
        return path

    return write


def test_a_cluster_that_is_down_is_named_with_a_remedy(tunewright, kubeconfig):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    path = kubeconfig(config(f"https://127.0.0.1:{port}"))
    away = tunewright("get", "--kubeconfig", path)
    assert away.code == 1
    assert str(port) in away.err
    assert "--context and --kubeconfig name another" in away.err


@pytest.mark.parametrize("words", [("--context", "elsewhere"), ("--kubeconfig", "/nowhere")])
def test_what_no_kubeconfig_has_is_wrong_input(tunewright, kubeconfig, words):
    path = kubeconfig(config("https://localhost:1"))
    wrong = tunewright("get", *words, env={"KUBECONFIG": str(path)})
    assert wrong.code == 2
    assert "--cluster: no cluster is configured" in wrong.err


def test_the_environment_can_say_cluster_and_an_option_the_opposite(tunewright, kubeconfig):
    path = kubeconfig(config("https://localhost:1"))
    env = {"TUNEWRIGHT_CLUSTER": "1", "KUBECONFIG": str(path)}
    assert tunewright("get", env=env).code == 1
    assert tunewright("get", "--local", env=env).code == 0
    assert "there is no store at" in tunewright("get", "--store", "here.db", env=env).err


def test_a_store_and_a_cluster_exclude_each_other(tunewright):
    both = tunewright("get", "--cluster", "--store", "here.db")
    assert (both.code, "--store: a cluster has no store" in both.err) == (2, True)


def test_options_of_this_machine_say_nothing_about_a_cluster(tunewright, experiment, tmp_path):
    refused = tunewright("run", experiment(), "--cluster", "--workdir", tmp_path, "--fsync")
    assert refused.code == 2
    assert "--workdir: it concerns only this machine" in refused.err
    assert "--fsync: it concerns only this machine" in refused.err


def test_a_command_needs_an_image_on_a_cluster(tunewright):
    words = ("--param", "x=0.0..1.0", "--minimize", "loss", "--cluster", "--", "train", "{x}")
    refused = tunewright("run", *words)
    assert (refused.code, "--image: a cluster runs trials in images" in refused.err) == (2, True)


def test_the_missing_package_is_named_and_only_where_it_is_needed(tunewright, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "kubernetes.py").write_text("raise ImportError\n")
    bare = type(tunewright)(tmp_path, tmp_path / "site")
    lacking = bare("get", "--cluster")
    assert (lacking.code, "pip install 'tunewright[cluster]'" in lacking.err) == (2, True)
    assert bare("get").code == 0


@pytest.mark.needs("apiserver")
@pytest.mark.xdist_group("apiserver")
def test_a_cluster_without_our_definitions_says_how_to_install_them(tunewright):
    with apiserver.api_server() as server:
        bare = tunewright("get", "--kubeconfig", server.kubeconfig)
    assert (bare.code, "kubectl apply" in bare.err) == (2, True)


@pytest.fixture
def person(api_server, tunewright):
    """Type commands as somebody who may do what some rules say, in a namespace of their own."""

    def type_as(*rules):
        namespace = api_server.namespace()
        path = kubeconfig_of(api_server, namespace, tunewright.folder, rules)
        return lambda *words: tunewright(*words, "--kubeconfig", path)

    return type_as


class TestRights:
    pytestmark = NEEDED

    def test_who_may_not_look_is_told_the_role_that_may(self, person):
        refused = person()("get")
        assert (refused.code, "the role tunewright-view" in refused.err) == (1, True)

    def test_who_may_not_change_is_told_the_role_that_may(self, person, tmp_path):
        (tmp_path / "e.json").write_text(json.dumps(experiment()))
        looking = person(LOOKING)
        assert looking("get").code == 0
        refused = looking("run", tmp_path / "e.json")
        assert (refused.code, "the role tunewright-edit" in refused.err) == (1, True)

    def test_who_is_not_known_is_pointed_at_the_kubeconfig(
        self, api_server, tunewright, kubeconfig
    ):
        trusted = {"certificate-authority": str(api_server.certificate)}
        path = kubeconfig(config(api_server.url, **trusted))
        stranger = tunewright("get", "--kubeconfig", path)
        assert (stranger.code, "user of the context" in stranger.err) == (1, True)
