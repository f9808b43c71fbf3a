"""Who calls the metrics service on a cluster: real tokens, reviewed by a real API server."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
from support.apiserver import NEEDED, ApiServer, kubeconfig_of
from tunewright.controller.kube import labels
from tunewright.controller.kube.client import KubeClient, connect
from tunewright.controller.kube.identity import PodAuthority
from tunewright.controller.kube.port import Resource
from tunewright.controller.kube.resources import PODS
from tunewright.controller.kube.review import TOKEN_REVIEWS, ExpiringCache
from tunewright.controller.kube.workloads.collector import AUDIENCE
from tunewright.db.authority import Caller

pytestmark = NEEDED

OPERATOR = "system:serviceaccount:tunewright:operator"


@dataclass
class Cluster:
    """A namespace of a real API server, whose pods no kubelet runs."""

    server: ApiServer
    kube: KubeClient
    namespace: str

    async def pod(self, name: str, trial: str = "", *, address: str = "", **spec) -> str:
        """Make a pod that runs at an address; return its uid."""
        metadata = {"name": name, "labels": {labels.TRIAL: trial} if trial else {}}
        container = {"name": "main", "image": "none"}
        document = {"metadata": metadata, "spec": {"containers": [container], **spec}}
        made = await self.kube.create(PODS, self.namespace, document)
        if address:
            await self.lives(name, address)
        return str(made["metadata"]["uid"])

    async def lives(self, name: str, address: str, phase: str = "Running") -> None:
        there = await self.kube.get(PODS, self.namespace, name)
        status = {"phase": phase, "podIP": address, "podIPs": [{"ip": address}]}
        await self.kube.replace(PODS, self.namespace, {**there, "status": status}, "status")

    async def account(self, name: str = "default") -> None:
        accounts = Resource("", "v1", "serviceaccounts")
        await self.kube.create(accounts, self.namespace, {"metadata": {"name": name}})

    def token(self, pod: str = "", uid: str = "", *, audience: str = AUDIENCE) -> str:
        """Ask for a token of the default account, bound to a pod if there is one."""
        spec: dict[str, object] = {"audiences": [audience], "expirationSeconds": 600}
        if pod:
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": uid}
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default/token"
        status, said = self.server.ask("POST", path, {"spec": spec})
        assert status == 201, said
        return str(said["status"]["token"])


class Asked:
    """A client of the API server that counts what it is asked about who calls."""

    def __init__(self, kube: KubeClient) -> None:
        self._kube = kube
        self.reviews = 0
        self.searches = 0

    def __getattr__(self, name: str):
        return getattr(self._kube, name)

    async def create(self, resource, *arguments, **named):
        self.reviews += resource == TOKEN_REVIEWS
        return await self._kube.create(resource, *arguments, **named)

    async def list(self, selection, *arguments, **named):
        self.searches += "status.podIP" in selection.fields
        return await self._kube.list(selection, *arguments, **named)


@contextlib.asynccontextmanager
async def knowing(cluster: Cluster, clock=lambda: 0.0, operator=OPERATOR, **options):
    """Run an authority; what is yielded asks it as a thread of the service does."""
    authority = PodAuthority(cluster.kube, operator, clock=clock, chance=lambda: 0.5, **options)
    following = asyncio.create_task(authority.run())

    async def caller(peer: str = "ipv4:192.0.2.1:4000", token: str | None = None) -> Caller:
        return await asyncio.to_thread(authority.caller, peer, token)

    try:
        yield caller
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@pytest.fixture
def within(api_server: ApiServer):
    """Run a scenario in a namespace of its own."""

    def run(scenario):
        async def scene():
            kube = await connect(kubeconfig=str(api_server.kubeconfig))
            try:
                cluster = Cluster(api_server, kube, api_server.namespace())
                await cluster.account()
                return await scenario(cluster)
            finally:
                await kube.close()

        return asyncio.run(scene())

    return run


async def eventually(caller, wanted: Callable[[Caller], bool], *arguments) -> Caller:
    """Ask until the cache has followed; a test's time limit ends it."""
    while not wanted(found := await caller(*arguments)):  # noqa: ASYNC110 # it has no event
        await asyncio.sleep(0.02)
    return found


class TestAnswersThatAreBelieved:
    def test_they_are_for_their_time(self):
        now = [0.0]
        known: ExpiringCache[str, int] = ExpiringCache(lambda: now[0])
        known.keep("a", 1, 5.0)
        assert known.get("a") == 1
        now[0] = 5.0
        assert known.get("a") is None

    def test_they_are_the_latest_however_many_there_are(self):
        known: ExpiringCache[int, int] = ExpiringCache(lambda: 0.0, most=3)
        for number in range(5):
            known.keep(number, number, 5.0)
        assert [known.get(number) for number in range(5)] == [None, None, 2, 3, 4]

    def test_several_threads_keep_them(self):
        known: ExpiringCache[int, int] = ExpiringCache(lambda: 0.0, most=50)
        with ThreadPoolExecutor(8) as pool:
            kept = [pool.submit(known.keep, number % 60, number, 5.0) for number in range(5_000)]
        assert [each.result() for each in kept] == [None] * 5_000


class TestATokenIsShown:
    def test_it_names_the_pod_and_so_the_trial(self, within):
        async def scenario(cluster: Cluster) -> None:
            uid = await cluster.pod("worker", "digits-0")
            async with knowing(cluster) as caller:
                found = await caller(token=cluster.token("worker", uid))
            name = f"pod {cluster.namespace}/worker"
            assert found == Caller(name, cluster.namespace, "digits-0")

        within(scenario)

    def test_a_pod_that_is_newer_than_the_cache_is_asked_for(self, within):
        async def scenario(cluster: Cluster) -> None:
            async with knowing(cluster) as caller:
                uid = await cluster.pod("worker", "digits-0")
                assert (await caller(token=cluster.token("worker", uid))).trial == "digits-0"

        within(scenario)

    def test_one_for_another_service_is_nobodys(self, within):
        async def scenario(cluster: Cluster) -> None:
            uid = await cluster.pod("worker", "digits-0")
            audience = "https://localhost"  # the API server's own
            async with knowing(cluster) as caller:
                found = await caller(token=cluster.token("worker", uid, audience=audience))
                forged = await caller(token="a.b.c")
            assert (found.namespace, found.everywhere, found.operates) == ("", False, False)
            assert (forged.namespace, forged.everywhere, forged.operates) == ("", False, False)
            assert "not valid" in forged.name

        within(scenario)

    def test_one_that_is_bound_to_no_pod_is_nobodys(self, within):
        async def scenario(cluster: Cluster) -> None:
            async with knowing(cluster) as caller:
                found = await caller(token=cluster.token())
            assert (found.namespace, found.trial, found.operates) == ("", "", False)

        within(scenario)

    def test_the_operator_is_who_the_setting_says(self, within):
        async def scenario(cluster: Cluster) -> None:
            account = f"system:serviceaccount:{cluster.namespace}:default"
            authority = PodAuthority(cluster.kube, account, clock=lambda: 0.0, chance=lambda: 0.5)
            found = await asyncio.to_thread(authority.caller, "unix:", cluster.token())
            assert found == Caller(account, operates=True)

        within(scenario)

    def test_it_is_reviewed_again_after_its_time(self, within):
        async def scenario(cluster: Cluster) -> None:
            uid = await cluster.pod("worker", "digits-0")
            token, now = cluster.token("worker", uid), [0.0]
            async with knowing(cluster, clock=lambda: now[0]) as caller:
                assert (await caller(token=token)).trial == "digits-0"
                await cluster.kube.delete(PODS, cluster.namespace, "worker")
                assert (await caller(token=token)).trial == "digits-0"
                now[0] = 121.0
                assert (await caller(token=token)).trial == ""

        within(scenario)

    def test_a_wrong_one_is_not_reviewed_at_each_call(self, within):
        async def scenario(cluster: Cluster) -> None:
            asked, now = Asked(cluster.kube), [0.0]
            async with knowing(replace(cluster, kube=asked), clock=lambda: now[0]) as caller:
                said = {(await caller(token="a.b.c")).name for _ in range(5)}
                assert (len(said), asked.reviews) == (1, 1)
                now[0] = 6.0
                await caller(token="a.b.c")
                assert asked.reviews == 2

        within(scenario)

    def test_a_pod_is_itself_where_the_cache_still_has_another_of_its_name(self, within):
        async def scenario(cluster: Cluster) -> None:
            await cluster.pod("worker", "digits-0")
            authority = PodAuthority(cluster.kube, OPERATOR, clock=lambda: 0.0, chance=lambda: 0.5)
            following = asyncio.create_task(authority.run())
            await authority._reflectors[0].synced.wait()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

            await cluster.kube.delete(PODS, cluster.namespace, "worker")
            token = cluster.token("worker", await cluster.pod("worker", "digits-1"))
            found = await asyncio.to_thread(authority.caller, "unix:", token)
            assert found.trial == "digits-1"

        within(scenario)


class TestNoTokenIsShown:
    def test_a_trials_pod_is_known_by_its_address(self, within):
        async def scenario(cluster: Cluster) -> None:
            await cluster.pod("worker", "digits-0", address="10.9.0.7")
            async with knowing(cluster) as caller:
                found = await caller("ipv4:10.9.0.7:40000")
                mapped = await caller("ipv6:%5B::ffff:10.9.0.7%5D:40000")
            assert (found.namespace, found.trial) == (cluster.namespace, "digits-0")
            assert mapped == found

        within(scenario)

    def test_any_other_pod_is_known_with_its_namespace(self, within):
        async def scenario(cluster: Cluster) -> None:
            await cluster.pod("notebook", address="10.9.0.8")
            async with knowing(cluster) as caller:
                found = await caller("ipv4:10.9.0.8:40000")
            assert (found.namespace, found.trial) == (cluster.namespace, "")

        within(scenario)

    def test_an_address_goes_with_the_pod_that_has_it_now(self, within):
        async def scenario(cluster: Cluster) -> None:
            await cluster.pod("first", "digits-0", address="10.9.0.9")
            async with knowing(cluster) as caller:
                peer = "ipv4:10.9.0.9:40000"
                await eventually(caller, lambda found: found.trial == "digits-0", peer)
                await cluster.lives("first", "10.9.0.9", "Succeeded")
                await cluster.pod("second", "digits-1", address="10.9.0.9")
                await eventually(caller, lambda found: found.trial == "digits-1", peer)

        within(scenario)

    @pytest.mark.parametrize("peer", ["ipv4:10.9.1.1:40000", "unix:", "ipv4:127.0.0.6:40000"])
    def test_an_address_of_no_pod_is_nobodys(self, within, peer: str):
        async def scenario(cluster: Cluster) -> None:
            async with knowing(cluster) as caller:
                found = await caller(peer)
            assert (found.namespace, found.everywhere, found.operates) == ("", False, False)

        within(scenario)

    def test_an_address_of_no_pod_is_not_searched_for_at_each_call(self, within):
        async def scenario(cluster: Cluster) -> None:
            asked = Asked(cluster.kube)
            async with knowing(replace(cluster, kube=asked)) as caller:
                for _ in range(5):
                    await caller("ipv4:10.9.1.2:40000")
                assert asked.searches == 1
                await cluster.pod("worker", "digits-0", address="10.9.1.2")
                peer = "ipv4:10.9.1.2:40000"
                await eventually(caller, lambda found: found.trial == "digits-0", peer)

        within(scenario)

    def test_a_pod_on_its_nodes_network_is_nobody(self, within):
        async def scenario(cluster: Cluster) -> None:
            await cluster.pod("worker", "digits-0", address="10.9.0.10", hostNetwork=True)
            async with knowing(cluster) as caller:
                assert (await caller("ipv4:10.9.0.10:40000")).trial == ""

        within(scenario)

    def test_an_open_service_lets_nobody_report_too_but_not_operate(self, within):
        async def scenario(cluster: Cluster) -> None:
            async with knowing(cluster, is_open=True) as caller:
                found = await caller("ipv4:10.9.1.1:40000")
            assert (found.everywhere, found.operates) == (True, False)

        within(scenario)


class TestSomeNamespacesOnly:
    """A service that may follow the pods of some namespaces, and ask for no reviews."""

    @pytest.fixture
    def known(self, within, api_server: ApiServer, tmp_path):
        """Run a scenario in a namespace of trials; `home` is that of operator and service."""

        def run(scenario):
            async def scene(cluster: Cluster) -> None:
                home = Cluster(api_server, cluster.kube, api_server.namespace())
                config = kubeconfig_of(api_server, home.namespace, tmp_path, FOLLOWS_PODS)
                may_follow_pods_of(cluster, home)
                kube = await connect(kubeconfig=str(config))
                service = replace(cluster, kube=kube)
                given = {"namespaces": [cluster.namespace], "operator": account_of(home)}
                try:
                    async with knowing(service, **given) as caller:
                        await scenario(cluster, home, caller)
                finally:
                    await kube.close()

            within(scene)

        return run

    def test_pods_are_known_by_their_addresses_whatever_token_they_show(self, known):
        async def scenario(cluster: Cluster, home: Cluster, caller) -> None:
            del home
            uid = await cluster.pod("worker", "digits-0", address="10.9.2.7")
            await cluster.pod("notebook", address="10.9.2.8")
            for token in (None, cluster.token("worker", uid)):
                found = await caller("ipv4:10.9.2.7:40000", token)
                assert (found.namespace, found.trial) == (cluster.namespace, "digits-0")
                other = await caller("ipv4:10.9.2.8:40000", token)
                assert (other.namespace, other.trial, other.operates) == (
                    cluster.namespace, "", False,
                )  # fmt: skip

        known(scenario)

    def test_the_operator_is_known_by_the_address_of_its_pod(self, known):
        async def scenario(cluster: Cluster, home: Cluster, caller) -> None:
            await cluster.pod("stranger", address="10.9.2.9", serviceAccountName="default")
            await home.pod("operator", address="10.9.2.10", serviceAccountName="person")
            assert (await caller("ipv4:10.9.2.10:40000")).operates
            assert not (await caller("ipv4:10.9.2.9:40000")).operates

        known(scenario)


FOLLOWS_PODS = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]


def account_of(home: Cluster) -> str:
    return f"system:serviceaccount:{home.namespace}:person"


def may_follow_pods_of(cluster: Cluster, home: Cluster) -> None:
    """Let the person of one namespace follow the pods of another."""
    where = ("-n", cluster.namespace)
    cluster.server.kubectl(
        "create", "role", "p", "--verb=get,list,watch", "--resource=pods", *where
    )
    who = f"--serviceaccount={home.namespace}:person"
    cluster.server.kubectl("create", "rolebinding", "p", "--role=p", who, *where)
