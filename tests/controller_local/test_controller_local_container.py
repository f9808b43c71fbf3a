"""Images by docker: a program of that name notes its arguments, and runs the command itself."""

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from support.runtime import container, job
from tunewright.api.errors import Unsupported
from tunewright.controller.plan.view import EndReason

DOCKER = """#!/usr/bin/env python3
import json, os, sys
words = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(words) + "\\n")
if words[0] == "run":
    at = words.index("--entrypoint")
    os.execvp(words[at + 1], [words[at + 1], *words[at + 3:]])
"""


@pytest.fixture
def docker(tmp_path: Path, options):
    """Options with a pretended docker, and a way to read what it was asked."""
    tools, log = tmp_path / "tools", tmp_path / "log"
    tools.mkdir()
    (tools / "docker").write_text(DOCKER.format(log=str(log)), encoding="utf-8")
    (tools / "docker").chmod(0o755)
    environ = {**options.environ, "PATH": f"{tools}:{os.environ['PATH']}"}

    def asked() -> list[list[str]]:
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]

    return replace(options, environ=environ, runtime="docker"), asked


def values_of(words: list[str], flag: str) -> list[str]:
    return [after for before, after in itertools.pairwise(words) if before == flag]


def test_the_image_runs_with_its_command_limits_and_directories(run, docker, tmp_path: Path):
    options, asked = docker
    limits = {"limits": {"memory": "1Gi", "cpu": "500m"}}
    main = container("sh", "-c", "echo $0", "a b", image="some/image:1", resources=limits)
    said = run(job(main), options=options, private=(Path("/var/log/katib"),))
    assert said.output() == b"a b\n"
    words = asked()[0]
    assert words[words.index("--entrypoint") :] == [
        *("--entrypoint", "sh", "some/image:1", "-c", "echo $0", "a b"),
    ]
    assert values_of(words, "--memory") == [str(1 << 30)]
    assert values_of(words, "--cpus") == ["0.5"]
    assert values_of(words, "--label")[0].startswith("tunewright.token=")
    own = tmp_path / "t0" / "files/var/log/katib"
    assert f"{own}:/var/log/katib" in values_of(words, "--volume")


def test_values_of_variables_never_stand_in_the_arguments(run, docker):
    options, asked = docker
    env = [{"name": "PASSWORD", "value": "hunter2"}]
    main = container("sh", "-c", "echo $PASSWORD", image="i", env=env)
    assert run(job(main), options=options).output() == b"hunter2\n"
    assert "hunter2" not in json.dumps(asked())
    assert "PASSWORD" in values_of(asked()[0], "--env")


@pytest.mark.parametrize("env", [[], [{"name": "PYTHONUNBUFFERED", "value": ""}]])
def test_python_prints_as_it_goes_and_the_template_wins(run, docker, env: list[dict[str, str]]):
    options, asked = docker
    main = container("sh", "-c", "echo ${PYTHONUNBUFFERED}", image="i", env=env)
    told = run(job(main), options=options).output()
    assert told == (b"\n" if env else b"1\n")
    assert "PYTHONUNBUFFERED" in values_of(asked()[0], "--env")


def test_a_container_that_is_stopped_is_removed(run, docker):
    options, asked = docker
    manifest = job(container("sleep", "600", image="i"))
    manifest["spec"]["activeDeadlineSeconds"] = 0.3
    assert run(manifest, options=options).ended.reason is EndReason.FAILED
    assert any(words[:2] == ["rm", "--force"] for words in asked())


def test_a_missing_runtime_is_named(run, options, tmp_path: Path):
    bare = replace(options, environ={"PATH": str(tmp_path)}, runtime="docker")
    with pytest.raises(Unsupported, match="no program docker on this machine"):
        run(job(container("true", image="i")), options=bare)
