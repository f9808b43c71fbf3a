"""What the images are built from, and what is written beside them."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
IMAGES = REPOSITORY / "deploy" / "images"


def program(name: str):
    spec = importlib.util.spec_from_file_location(f"images_{name}", IMAGES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


build = program("build")


def test_how_this_machine_reaches_an_index_is_told_without_its_own_paths():
    listed = (
        "global.index-url='https://index.test/simple'\n"
        ":env:.cert='/etc/ssl/ours.crt'\n"
        ":env:.find-links='/opt/wheels'\n"
        ":env:.default-timeout='180'\n"
    )

    configuration, authorities = build.pip_configuration(listed)

    assert authorities == "/etc/ssl/ours.crt"
    assert configuration.splitlines() == [
        "[global]",
        "index-url = https://index.test/simple",
        "default-timeout = 180",
        "cert = /run/secrets/authorities",
    ]


def test_a_machine_without_settings_tells_nothing():
    assert build.pip_configuration("") == ("[global]\n", None)


@pytest.fixture
def sources(tmp_path):
    """Return a tree as ours, small."""
    for name in ("pyproject.toml", "__init__.py", "__main__.py", "api/__init__.py", "docs/x.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    shutil.copytree(IMAGES, tmp_path / "deploy" / "images")
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ("api/__init__.py", False),
        ("api/new.py", False),
        ("pyproject.toml", False),
        ("deploy/images/collector/Containerfile", False),
        ("docs/x.md", True),
        ("api/__pycache__/x.pyc", True),
    ],
)
def test_the_tag_changes_with_what_is_in_the_image(sources, changed, same):
    before = build.content(sources, "python")

    (sources / changed).parent.mkdir(exist_ok=True)
    (sources / changed).write_text("another")

    assert (build.content(sources, "python") == before) is same


def test_another_base_is_another_tag(sources):
    assert build.content(sources, "python:3.13") != build.content(sources, "python:3.12")


def test_the_words_behind_make_images_name_the_images():
    wishes = build.Wishes.read({"REGISTRY": "registry.test/team/", "TAG": "7", "HOME": "/root"})

    assert wishes.names() == {
        "tunewright": "registry.test/team/tunewright:7",
        "tunewright-collector": "registry.test/team/tunewright-collector:7",
    }


def test_an_overlay_is_written_with_what_was_built(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "WRITTEN", tmp_path)

    build.write({"tunewright": "r/tunewright:7", "tunewright-collector": "r/c:7"}, "postgres")

    assert "image: r/c:7\n" in (tmp_path / "config.yaml").read_text()
    assert '"newTag": "7"' in (tmp_path / "kustomization.yaml").read_text()


def test_what_an_overlay_says_of_its_own_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "WRITTEN", tmp_path)

    build.write({"tunewright": "r/tunewright:7", "tunewright-collector": "r/c:7"}, "namespaced")

    assert "namespaces: [default]" in (tmp_path / "config.yaml").read_text()


def test_an_overlay_may_be_a_folder_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "WRITTEN", tmp_path / "written")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").touch()

    build.write({"tunewright": "r/tunewright:7", "tunewright-collector": "r/c:7"}, "mine")

    assert '"../mine"' in (tmp_path / "written" / "kustomization.yaml").read_text()


def test_an_overlay_that_is_none_is_named_with_those_that_are(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "WRITTEN", tmp_path)

    with pytest.raises(build.BuildError, match=r"there is no overlay x: name one of .*standalone"):
        build.write({}, "x")


def test_without_a_builder_the_words_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(build.BuildError, match="none of docker, podman, buildah works here"):
        build.find("")


def test_several_architectures_need_a_registry():
    with pytest.raises(build.BuildError, match="add PUSH=1"):
        build.make(build.Wishes(arch="amd64,arm64"))


def test_a_layer_holds_what_the_extras_of_an_image_need():
    pyproject = (REPOSITORY / "pyproject.toml").read_text()
    asked = [sys.executable, IMAGES / "requirements.py", REPOSITORY / "pyproject.toml", "collector"]

    printed = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split("\n")

    project = tomllib.loads(pyproject)["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["collector"]}
    assert set(printed) == {*wanted, ""}


@pytest.mark.parametrize("image", ["tunewright", "collector"])
def test_every_extra_that_an_image_names_exists(image):
    text = (IMAGES / image / "Containerfile").read_text()
    (named,) = re.findall(r"requirements.py /source/pyproject.toml ([^>]*)", text)
    extras = named.replace("\\", " ").split()

    known = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert extras
    assert set(extras) <= known["optional-dependencies"].keys()


def test_every_room_of_the_package_goes_into_the_images():
    packages = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    rooms = {name.split(".")[1] for name in packages["packages"] if "." in name}

    let_in = (REPOSITORY / ".dockerignore").read_text().splitlines()

    assert {f"!{room}" for room in rooms} <= set(let_in)
