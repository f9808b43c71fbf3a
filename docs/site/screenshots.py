"""Take the pictures of the page that the docs show: `make pictures`.

A real experiment runs for half a minute, and a real browser looks at its page.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parents[1] / "images"
TRAINING = """\
import math, random, sys, time
lr, opt, width = float(sys.argv[1]), sys.argv[2], int(sys.argv[3])
random.seed(lr)
worst = (math.log10(lr) + 2.6) ** 2 / 6 + (0.12 if opt == "sgd" else 0.0) + abs(width - 96) / 400
for epoch in range(1, 13):
    loss = worst + 1.2 * math.exp(-epoch / 3) + random.gauss(0, 0.01)
    print(f"epoch={epoch} loss={loss:.4f} accuracy={1 / (1 + loss):.4f}", flush=True)
    time.sleep(0.02)
"""
SHOTS = {  # the picture: its path, theme, width and height
    "page-experiment.png": ("/experiments/default/digits", "light", 1280, 1500),
    "page-dark.png": ("/experiments/default/digits", "dark", 1280, 900),
    "page-trial.png": ("/experiments/default/digits/trials/best", "light", 1280, 1000),
    "page-phone.png": ("/experiments/default/digits", "light", 390, 844),
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tunewright-") as folder:
        home = Path(folder)
        (home / "train.py").write_text(TRAINING, encoding="utf-8")
        environ = {**os.environ, "TUNEWRIGHT_HOME": str(home / "home")}
        command = [sys.executable, "-m", "tunewright"]
        subprocess.run(
            [
                *(*command, "run", "--name", "digits", "--minimize", "loss"),
                *("--metric", "accuracy", "--trials", "60", "--parallel", "2", "--seed", "4"),
                *("--param", "lr=log:1e-5..1e-1", "--param", "opt=adam,sgd"),
                *("--param", "width=int:8..256", "--"),
                *("python3", "train.py", "{lr}", "{opt}", "{width}"),
            ],
            cwd=home,
            env=environ,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with subprocess.Popen(
            [*command, "ui", "--port", "0", "--token", "pictures", "--no-open"],
            env=environ,
            cwd=home,
            stdout=subprocess.PIPE,
            text=True,
        ) as page:
            try:
                found = re.search(r"http://[^/]+", page.stdout.readline() if page.stdout else "")
                if found is None:
                    raise SystemExit("the page did not come up")
                shoot(found[0])
            finally:
                page.terminate()


def shoot(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium-headless-shell"),
            args=["--no-sandbox"],
        )
        for name, (path, theme, width, height) in SHOTS.items():
            _shoot(browser, url + path, IMAGES / name, theme, (width, height))
        browser.close()


def _shoot(browser: Browser, url: str, file: Path, theme: str, size: tuple[int, int]) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(f"{url}?token=pictures")
    page.wait_for_selector("main h1")
    page.wait_for_timeout(3000)
    page.screenshot(path=file)
    context.close()


if __name__ == "__main__":
    main()
