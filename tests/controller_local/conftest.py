"""A runtime for each test."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.runtime import Runtime, Said
from tunewright.controller.local.options import LocalOptions


@pytest.fixture
def options() -> LocalOptions:
    return LocalOptions(environ={"PATH": os.environ["PATH"], "HOME": "/nowhere"})


@pytest.fixture
def run(tmp_path: Path, options: LocalOptions):
    """Run one manifest to its end, and return what was told of it."""

    def run_(manifest: Mapping[str, Any], **more: Any) -> Said:
        async def drive() -> Said:
            machine = {"places": more.pop("places")} if "places" in more else {}
            runtime = Runtime(tmp_path, more.pop("options", options), **machine)
            try:
                await runtime.workloads.start(runtime.workload(manifest, **more))
                return await runtime.end_of()
            finally:
                await runtime.close()

        return asyncio.run(drive())

    return run_
