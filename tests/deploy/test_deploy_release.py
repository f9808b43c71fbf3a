"""What a release consists of."""

import hashlib
import importlib.util
import os
import sys
from pathlib import Path

import pytest
import yaml
from support.apiserver import REPOSITORY


@pytest.fixture
def release(monkeypatch):
    """The program, without leaving its neighbour `build` where PyPA's is looked for."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "build", raising=False)
    path = REPOSITORY / "deploy" / "release.py"
    spec = importlib.util.spec_from_file_location("release_program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("build", None)


CHANGES = "# Changelog\n\n## Unreleased\n\n- new\n\n## 1.2.0\n\n- old\n- older\n"


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("1.2.0", "# Tunewright 1.2.0\n\n- old\n- older\n"),
        ("1.3.0", "# Tunewright 1.3.0\n\n- new\n"),
    ],
)
def test_the_notes_are_the_version_s_section_or_what_is_unreleased(release, version, says):
    assert release.notes(CHANGES, version) == says


def test_a_changelog_that_says_nothing_is_refused(release):
    with pytest.raises(release.ReleaseError, match=r"CHANGELOG.md says nothing of 1.0"):
        release.notes("# Changelog\n\n## Unreleased\n", "1.0")


def test_the_sums_are_what_sha256sum_checks(release, tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "SHA256SUMS").write_bytes(b"old")

    assert release.sums(tmp_path) == f"{hashlib.sha256(b'1').hexdigest()}  a\n"


@pytest.mark.needs("apiserver")
@pytest.mark.xdist_group("apiserver")
def test_one_file_installs_definitions_and_overlay_with_the_images_named(
    api_server, release, tmp_path, monkeypatch
):
    # Relative: the kustomization is written beside the overlay that it builds upon.
    monkeypatch.setattr(release.images, "WRITTEN", REPOSITORY / "build" / f"test-{tmp_path.name}")
    monkeypatch.setenv("PATH", str(api_server.programs), prepend=os.pathsep)
    wishes = release.images.Wishes(registry="registry.test/team", tag="7")
    try:
        release.image_names(wishes, wanted=False)
        text = release.manifest()
    finally:
        for path in release.images.WRITTEN.iterdir():
            path.unlink()
        release.images.WRITTEN.rmdir()

    documents = [each for each in yaml.safe_load_all(text) if each]
    kinds = [each["kind"] for each in documents]
    assert kinds[:3] == ["CustomResourceDefinition"] * 3
    assert {"Namespace", "Deployment", "ClusterRole"} <= set(kinds)
    assert "registry.test/team/tunewright:7" in text
    assert "registry.test/team/tunewright-collector:7" in text
    definitions = Path(tmp_path, "definitions.yaml")
    definitions.write_text(yaml.safe_dump_all(documents[:3]))
    assert api_server.kubectl("apply", "--server-side", "--dry-run=server", "-f", str(definitions))
