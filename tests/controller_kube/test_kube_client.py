"""The port over a real API server, and a cache that follows it."""

import asyncio
import contextlib
import json
import ssl

import pytest
from support.apiserver import NEEDED
from support.certificates import self_signed
from support.proxy import Proxy, WebProxy
from tunewright.api.errors import (
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    ServerUnavailable,
)
from tunewright.controller.kube import client as client_module
from tunewright.controller.kube.answers import error_of
from tunewright.controller.kube.cache import Cache, Key
from tunewright.controller.kube.client import connect
from tunewright.controller.kube.lease import Elector, Times
from tunewright.controller.kube.port import Resource, Selection, version_of
from tunewright.controller.kube.reflector import Reflector
from tunewright.controller.kube.session import Context
from tunewright.controller.kube.session import connect as open_session

pytestmark = NEEDED

MAPS = Resource("", "v1", "configmaps")
JOBS = Resource("batch", "v1", "jobs")
TRIALS = Resource("kubeflow.org", "v1beta1", "trials")


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def trial(name, **spec):
    kind = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Trial"}
    return {**kind, "metadata": {"name": name, "labels": {"of": "e"}}, "spec": spec}


def kubeconfig(cluster):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }


@pytest.fixture
def within(api_server):
    """Run a scenario with a client and the name of a namespace."""

    def run(scenario):
        async def scene():
            async with client(api_server) as kube:
                return await scenario(kube, api_server.namespace())

        return asyncio.run(scene())

    return run


@contextlib.asynccontextmanager
async def client(server):
    kube = await connect(kubeconfig=str(server.kubeconfig))
    try:
        yield kube
    finally:
        await kube.close()


def test_what_is_created_is_read_replaced_and_deleted(within):
    async def scenario(kube, space):
        made = await kube.create(MAPS, space, config_map("m", a="1"))
        changed = await kube.replace(MAPS, space, {**made, "data": {"a": "2"}})
        read = await kube.get(MAPS, space, "m")
        await kube.delete(MAPS, space, "m", uid=made["metadata"]["uid"])
        with pytest.raises(NotFound):
            await kube.get(MAPS, space, "m")
        return made, changed, read

    made, changed, read = within(scenario)
    assert (made["data"], read["data"]) == ({"a": "1"}, {"a": "2"})
    assert version_of(made) != version_of(changed) == version_of(read)
    assert "managedFields" not in made["metadata"]


def test_what_is_written_is_ours(api_server, within):
    async def scenario(kube, space):
        made = await kube.create(MAPS, space, config_map("m", a="1"))
        await kube.replace(MAPS, space, {**made, "data": {"a": "2"}})
        await kube.merge(MAPS, space, "m", {"data": {"b": "3"}})
        return api_server.ask("GET", MAPS.path(space, "m"))[1]

    managed = within(scenario)["metadata"]["managedFields"]
    assert {each["manager"] for each in managed} == {"tunewright"}


def test_what_is_there_already_and_what_changed_meanwhile_is_a_conflict(within):
    async def scenario(kube, space):
        made = await kube.create(MAPS, space, config_map("m"))
        with pytest.raises(Conflict, match="already exists"):
            await kube.create(MAPS, space, config_map("m"))
        await kube.replace(MAPS, space, {**made, "data": {"a": "1"}})
        with pytest.raises(Conflict, match="modified"):
            await kube.replace(MAPS, space, {**made, "data": {"a": "2"}})
        with pytest.raises(Conflict):
            await kube.delete(MAPS, space, "m", uid="another")

    within(scenario)


def test_every_wrong_field_is_named(within):
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {"template": {"spec": {"containers": [{"name": "Not a name", "image": "i"}]}}},
    }

    async def scenario(kube, space):
        with pytest.raises(Invalid) as found:
            await kube.create(JOBS, space, job, dry=True)
        return {fault.path for fault in found.value.faults}

    paths = within(scenario)
    assert "spec.template.spec.containers[0].name" in paths
    assert "spec.template.spec.restartPolicy" in paths


def test_a_dry_run_leaves_nothing(within):
    async def scenario(kube, space):
        made = await kube.create(MAPS, space, config_map("m"), dry=True)
        with pytest.raises(NotFound):
            await kube.get(MAPS, space, "m")
        return made

    assert within(scenario)["metadata"]["name"] == "m"


def test_a_misspelt_field_is_refused_not_dropped(within):
    async def scenario(kube, space):
        with pytest.raises(Invalid, match="dataa"):
            await kube.create(MAPS, space, {**config_map("m"), "dataa": {}})

    within(scenario)


def test_a_status_is_applied_whole_and_nothing_else_with_it(within):
    async def scenario(kube, space):
        await kube.create(TRIALS, space, trial("t", retainRun=True))
        for status in ({"retries": 1, "position": 1}, {"retries": 1}):
            document = {**trial("t", retainRun=False), "status": status}
            del document["metadata"]["labels"]
            await kube.apply(TRIALS, space, document, manager="tests", subresource="status")
        return await kube.get(TRIALS, space, "t")

    read = within(scenario)
    assert (read["status"], read["spec"]) == ({"retries": 1}, {"retainRun": True})


def test_a_patch_changes_what_it_says_and_null_removes(within):
    async def scenario(kube, space):
        await kube.create(MAPS, space, config_map("m", a="1", b="2", c="3"))
        return await kube.merge(MAPS, space, "m", {"data": {"a": None, "b": "9"}})

    assert within(scenario)["data"] == {"b": "9", "c": "3"}


def test_a_patch_of_what_changed_meanwhile_is_a_conflict(within):
    async def scenario(kube, space):
        made = await kube.create(MAPS, space, config_map("m"))
        await kube.merge(MAPS, space, "m", {"data": {"a": "1"}})
        patch = {"metadata": {"resourceVersion": version_of(made)}, "data": {"a": "2"}}
        with pytest.raises(Conflict, match="modified"):
            await kube.merge(MAPS, space, "m", patch)

    within(scenario)


def test_kinds_are_found_as_they_are_served(within):
    async def scenario(kube, _space):
        with pytest.raises(NotFound):
            await kube.kinds("kubeflow.org/v1")
        return [(await kube.kinds(version)) for version in ("batch/v1", "v1")]

    batch, core = within(scenario)
    assert (batch["Job"], core["ConfigMap"]) == (JOBS, MAPS)
    assert "Namespace" not in core


def test_pages_make_one_list(within, monkeypatch):
    monkeypatch.setattr("tunewright.controller.kube.client.PAGE", 3)

    async def scenario(kube, space):
        for number in range(8):
            await kube.create(MAPS, space, config_map(f"m{number}"))
        listing = await kube.list(Selection(MAPS, space))
        return sorted(each["metadata"]["name"] for each in listing.documents)

    assert within(scenario) == [f"m{n}" for n in range(8)]


@pytest.fixture
def plain(tmp_path):
    """Write a kubeconfig of a server without keys; return its path."""

    def write(port):
        file = tmp_path / "config"
        file.write_text(json.dumps(kubeconfig({"server": f"http://127.0.0.1:{port}"})))
        return str(file)

    return write


def test_a_server_that_is_not_there_is_said_to_be_away(plain):
    async def scene():
        kube = await connect(kubeconfig=plain(9))
        try:
            with pytest.raises(ServerUnavailable, match="does not answer"):
                await kube.get(MAPS, "default", "m")
        finally:
            await kube.close()

    asyncio.run(scene())


@contextlib.asynccontextmanager
async def answering(*answers, secured=None):
    """A server that answers each request with the next of these; yields its port."""
    left = iter(answers)

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + next(left))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secured) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.needs("openssl")
def test_the_authority_of_a_cluster_may_change_while_a_client_runs(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    (old, _), (new, key) = (self_signed(tmp_path / name) for name in ("old", "new"))
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(new, key)
    file = tmp_path / "config"

    async def scene():
        async with answering(b"200 OK\r\n\r\n" + b"{}", secured=secured) as port:
            cluster = {"server": f"https://localhost:{port}", "certificate-authority": str(old)}
            file.write_text(json.dumps(kubeconfig(cluster)))
            kube = await connect(kubeconfig=str(file))
            try:
                with pytest.raises(ServerUnavailable, match="certificate"):
                    await kube.get(MAPS, "default", "m")
                old.write_bytes(new.read_bytes())  # as a kubelet does in a pod
                with pytest.raises(ServerUnavailable):
                    await kube.get(MAPS, "default", "m")
                return await kube.get(MAPS, "default", "m")
            finally:
                await kube.close()

    assert asyncio.run(scene()) == {}


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        pytest.param(b"200 OK\r\n\r\n" + b'{"type": "ADD', 1.0, id="a line breaks off"),
        pytest.param(b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{", 1.0,
                     id="a chunk breaks off"),
        pytest.param(b"429 Too Many Requests\r\nRetry-After: 7\r\n\r\n", 7.0, id="too busy"),
        pytest.param(b"408 Request Timeout\r\nRetry-After: 3\r\n\r\n", 3.0, id="too slow"),
        pytest.param(b"502 Bad Gateway\r\n\r\n<html>", 1.0, id="a balancer without a server"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_may_be_asked_for_again(plain, answer, after):
    async def scene():
        async with answering(answer) as port:
            kube = await connect(kubeconfig=plain(port))
            try:
                watch = kube.watch(Selection(MAPS), since=None, seconds=300, silence=5.0)
                with pytest.raises(ServerUnavailable) as found:
                    async with watch as events:
                        await anext(events)
            finally:
                await kube.close()
        return found.value.after

    assert asyncio.run(scene()) == after


@pytest.mark.parametrize(
    ("status", "page"),
    [
        pytest.param("200 OK", "<html>Sign in</html>", id="a page to sign in"),
        pytest.param("200 OK", "<html>Bestätigen</html>", id="in another encoding"),
        pytest.param("502 Bad Gateway", "<html>Gestört</html>", id="of an error"),
        pytest.param("200 OK", '"Sign in"', id="a text in JSON"),
        pytest.param("200 OK", '["Sign in"]', id="a list in JSON"),
    ],
)
def test_an_answer_of_somebody_else_is_none_of_the_server(plain, status, page):
    written = f"{status}\r\nContent-Type: text/html\r\n\r\n{page}".encode("latin-1")

    async def scene():
        async with answering(*[written] * 4) as port:
            config = plain(port)
            kube = await connect(kubeconfig=config)
            try:
                with pytest.raises(ServerUnavailable):
                    await kube.list(Selection(MAPS))
                watch = kube.watch(Selection(MAPS), since="1", seconds=300, silence=5.0)
                with pytest.raises(ServerUnavailable):
                    async with watch as events:
                        await anext(events)
            finally:
                await kube.close()
            session = open_session(Context(config))
            with pytest.raises(ServerUnavailable):
                await asyncio.to_thread(session.get, MAPS, "default", "m")
            with pytest.raises(ServerUnavailable):
                await asyncio.to_thread(list, session.watch(Selection(MAPS), "1", 300))

    asyncio.run(scene())


@pytest.mark.parametrize(
    "details", ["no", ["no"], [{"field": "a"}], {"causes": "no"}, {"causes": ["no"]}], ids=str
)
def test_a_refusal_in_somebody_else_s_words_is_told_with_its_message(details):
    error = error_of(400, {}, json.dumps({"message": "not so", "details": details}))

    assert (type(error), str(error)) == (Invalid, "not so")


def test_who_has_just_come_back_is_not_believed_that_it_forbids(plain, monkeypatch):
    """An API server answers before it has read who may do what."""
    answers = [b"200 OK\r\nContent-Length: 9\r\n\r\n{", *[b"403 Forbidden\r\n\r\nnobody may"] * 2]

    async def asked(kube, error, words):
        with pytest.raises(error, match=words):
            await kube.get(MAPS, "default", "m")

    async def scene():
        async with answering(*answers) as port:
            kube = await connect(kubeconfig=plain(port))
            try:
                await asked(kube, ServerUnavailable, "does not answer")
                await asked(kube, ServerUnavailable, "after a silence .* forbids it: nobody may")
                monkeypatch.setattr(client_module, "DOUBT_SECONDS", 0.0)
                await asked(kube, Forbidden, "nobody may")
            finally:
                await kube.close()

    asyncio.run(scene())


def test_a_kubeconfig_may_be_named_after_the_library_was_loaded(api_server, monkeypatch):
    async def scene():
        kube = await connect()
        try:
            return await kube.get(Resource("", "v1", "namespaces"), None, "default")
        finally:
            await kube.close()

    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    assert asyncio.run(scene())["metadata"]["name"] == "default"


def test_a_server_is_reached_by_the_proxy_of_the_environment(api_server, monkeypatch):
    async def scene():
        async with WebProxy(api_server) as between:
            monkeypatch.setenv("HTTPS_PROXY", between.url)
            async with client(between) as kube:
                await kube.get(Resource("", "v1", "namespaces"), None, "default")
            return between.asked_for

    assert asyncio.run(scene()) == ["api.example.org:6443"]


def test_a_kubeconfig_that_is_missing_is_named(tmp_path):
    with pytest.raises(Invalid, match="no cluster can be reached"):
        asyncio.run(connect(kubeconfig=str(tmp_path / "none")))


def test_what_may_not_be_done_is_said_to_be_forbidden(api_server, tmp_path):
    namespace = api_server.namespace()
    api_server.kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    token = api_server.kubectl("create", "token", "nobody", "-n", namespace).strip()
    config = json.loads(api_server.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    file = tmp_path / "config"
    file.write_text(json.dumps(config))

    async def scene():
        kube = await connect(kubeconfig=str(file))
        try:
            with pytest.raises(Forbidden, match="nobody"):
                await kube.get(MAPS, namespace, "m")
        finally:
            await kube.close()

    asyncio.run(scene())


def test_a_version_that_is_forgotten_is_said_to_be_expired(within):
    async def scenario(kube, space):
        watch = kube.watch(Selection(TRIALS, space), since="1", seconds=300, silence=20.0)
        with pytest.raises(Expired):
            async with watch as events:
                await anext(events)

    within(scenario)


def test_a_large_object_is_told_whole(within):
    async def scenario(kube, space):
        await kube.create(MAPS, space, config_map("m", a="x" * 900_000))
        watch = kube.watch(Selection(MAPS, space), since=None, seconds=300, silence=20.0)
        async with watch as events:
            return (await anext(events)).document["data"]["a"]

    assert len(within(scenario)) == 900_000


def test_a_line_of_a_log_comes_in_pieces_while_it_has_no_end(plain):
    async def scene():
        ended = asyncio.Event()

        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n2026-01-01T00:00:00Z " + b"x" * 400_000)
            await ended.wait()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            kube = await connect(kubeconfig=plain(server.sockets[0].getsockname()[1]))
            try:
                async with kube.log("default", "p", "main", silence=5.0) as pieces:
                    return [await anext(pieces), await anext(pieces)]
            finally:
                ended.set()
                await kube.close()

    first, second = asyncio.run(scene())
    assert first.startswith(b"2026-01-01T00:00:00Z x")
    assert {*second} == {*b"x"}


def test_a_connection_that_is_silent_for_too_long_is_given_up(api_server):
    async def scene():
        async with Proxy(api_server) as proxy, client(proxy) as kube:
            watch = kube.watch(Selection(MAPS, "default"), since=None, seconds=300, silence=0.3)
            async with watch as events:
                proxy.freeze()
                with pytest.raises(ServerUnavailable, match="does not answer"):
                    async for _ in events:
                        pass

    asyncio.run(scene())


class Following:
    """A reflector at work, its cache, and what it told."""

    def __init__(self, kube, space, resource=TRIALS):
        self.cache = Cache()
        self.told = asyncio.Event()
        self.reflector = Reflector(
            kube, Selection(resource, space, "of=e"), self.cache, self._changed, chance=lambda: 0.5
        )
        self._task = asyncio.create_task(self.reflector.run())

    def _changed(self, _before, _after):
        self.told.set()

    async def until(self, condition):
        async with asyncio.timeout(20):
            await self.reflector.synced.wait()
            while not condition(self.cache):
                self.told.clear()
                await self.told.wait()

    async def end(self):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


def test_a_cache_holds_what_there_is_and_follows_what_changes(within):
    async def scenario(kube, space):
        await kube.create(TRIALS, space, trial("before"))
        following = Following(kube, space)
        try:
            await following.until(lambda cache: len(cache) == 1)
            await kube.create(TRIALS, space, trial("after"))
            await following.until(lambda cache: len(cache) == 2)
            status = {**trial("after"), "status": {"retries": 5}}
            await kube.apply(TRIALS, space, status, manager="tests", subresource="status")
            key = Key(space, "after")
            await following.until(lambda cache: "status" in cache.get(key))
            await kube.delete(TRIALS, space, "before")
            await following.until(lambda cache: len(cache) == 1)
            return following.cache.get(key)["status"]
        finally:
            await following.end()

    assert within(scenario) == {"retries": 5}


def test_a_cache_goes_on_where_it_was_when_the_server_is_back(api_server):
    space = api_server.namespace()

    async def scene():
        async with Proxy(api_server) as proxy, client(proxy) as kube, client(api_server) as direct:
            await direct.create(TRIALS, space, trial("before"))
            following = Following(kube, space)
            try:
                await following.until(lambda cache: len(cache) == 1)
                await proxy.cut()
                await direct.delete(TRIALS, space, "before")
                await direct.create(TRIALS, space, trial("meanwhile"))
                await proxy.serve()
                await following.until(lambda cache: cache.names() == (Key(space, "meanwhile"),))
            finally:
                await following.end()

    asyncio.run(scene())


def test_one_of_two_replicas_leads_after_the_other(within):
    async def scenario(kube, space):
        order = []
        loop = asyncio.get_running_loop()

        def elector(me):
            return Elector(
                kube, space, "operator", me,
                clock=loop.time, wall=lambda: 1_700_000_000.0, times=Times(3.0, 2.0, 0.1),
            )  # fmt: skip

        def lead(me):
            async def work():
                order.append(f"{me} begins")
                await asyncio.sleep(0.5)
                order.append(f"{me} ends")

            return work

        await asyncio.gather(*(elector(me).run(lead(me)) for me in ("a", "b")))
        return order

    order = within(scenario)
    assert order in (
        ["a begins", "a ends", "b begins", "b ends"],
        ["b begins", "b ends", "a begins", "a ends"],
    )
