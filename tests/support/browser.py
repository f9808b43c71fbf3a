"""The tests' browser: Chromium without a window."""

from playwright.sync_api import Browser, Playwright
from services import browser


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
