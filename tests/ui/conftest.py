"""A real page over real experiments: `tunewright ui` as a process, and a browser."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from support.browser import launch
from support.command import Command

TOKEN = "of-the-tests"
TRAINING = """\
import sys, time
lr, opt, pause = float(sys.argv[1]), sys.argv[2], float(sys.argv[3])
for epoch in range(1, 6):
    loss = abs(lr - 0.3) + (0.2 if opt == "sgd" else 0.0) + 1 / epoch
    print(f"epoch={epoch} loss={loss:.4f} accuracy={1 / (1 + loss):.4f}", flush=True)
    time.sleep(pause)
"""


@dataclass(frozen=True)
class Server:
    """A page that runs, and the home that it shows."""

    folder: Path
    url: str

    def api(self, path: str) -> str:
        return f"{self.url}/api/v1{path}"

    def client(self) -> httpx.Client:
        return httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)

    def tunewright(self, *words: str) -> None:
        done = Command(self.folder)(*words, timeout=100)
        assert done.code == 0, done.err

    def tune(self, name: str, *, trials: int, pause: float = 0.0, detach: bool = False) -> None:
        self.tunewright(
            *("run", "--name", name, "--param", "lr=0.0..1.0", "--param", "opt=adam,sgd"),
            *("--minimize", "loss", "--metric", "accuracy", "--trials", str(trials)),
            *("--parallel", "2", "--algorithm", "random", "--seed", "7"),
            *(["--detach"] if detach else []),
            *("--", sys.executable, "train.py", "{lr}", "{opt}", str(pause)),
        )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page with one experiment that has ended, `done`."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "train.py").write_text(TRAINING, encoding="utf-8")
    words = ("ui", "--port", "0", "--token", TOKEN, "--no-open")
    with Command(folder).start(*words, stderr=None) as page:  # nobody reads it
        try:
            said = page.stdout.readline()
            url = re.search(r"http://[^/]+", said)
            assert url, said
            made = Server(folder, url[0])
            made.tune("done", trials=8)
            yield made
        finally:
            page.terminate()


@dataclass
class Watched:
    """A browser's page that remembers what went wrong in it."""

    page: object
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")  # its event loop is in the way of tests elsewhere
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def visitors(browser, server):
    """Who has the token, by whether they use fingers: a browser's memory costs seconds to fill.

    Each keeps a page: the last one takes the window with it, and a new one costs half a second.
    """
    made = {}
    for touched in (False, True):
        context = browser.new_context(base_url=server.url, has_touch=touched, is_mobile=touched)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.new_page()
        made[touched] = context
    yield made
    for context in made.values():
        context.close()


@pytest.fixture
def opened(visitors, server):
    """Open pages as somebody who has the token; nothing may go wrong in any of them.

    `refused`: the server is to refuse something, which a browser notes as an error. `touched`:
    the browser is a phone's, which has no pointer but fingers.
    """
    made = []

    def open_page(path, *, width=1280, theme="light", refused=False, touched=False):
        watched = Watched(visitors[touched].new_page())
        made.append(watched)
        watched.page.set_viewport_size({"width": width, "height": 900})
        watched.page.emulate_media(color_scheme=theme)
        watched.page.on(
            "console",
            lambda said: (
                watched.errors.append(said.text)
                if said.type == "error" and not (refused and "status of 4" in said.text)
                else None
            ),
        )
        watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
        watched.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((server.url, "data:", "blob:"))
                else watched.strangers.append(request.url)
            ),
        )
        joint = "&" if "?" in path else "?"
        bare, hash_, anchor = path.partition("#")
        watched.page.goto(f"{bare}{joint}token={TOKEN}{hash_}{anchor}")
        return watched.page

    yield open_page
    for watched in made:
        watched.page.evaluate("localStorage.clear()")
        watched.page.close()
        assert watched.errors == []
        assert watched.strangers == []
