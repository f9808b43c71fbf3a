"""Limits of memory and CPU: held by control groups where there are, watched elsewhere."""

import sys
from pathlib import Path

import pytest
from support.runtime import container, job
from tunewright.api.errors import Unsupported
from tunewright.controller.local.cgroups import (
    Place,
    held,
    make_group,
    own_places,
    places,
    remove_left,
)
from tunewright.controller.local.fields import remarks_of
from tunewright.controller.local.quantities import Limits, limits_of
from tunewright.controller.plan.view import EndReason

TAKES_MUCH = """
import time
x = bytearray(400_000_000)
for i in range(0, len(x), 4096): x[i] = 1
time.sleep(60)
"""
BURNS = """
import time
while time.process_time() < 0.2: pass
"""


def limited(code: str, **limits: str) -> dict:
    return job(container(sys.executable, "-c", code, resources={"limits": limits}))


def groups(folder: Path) -> list[Path]:
    """Return the groups of one test's trials; other tests run beside it."""
    found = (place.folder.glob(f"tunewright-*-{folder.name}-*") for place in own_places())
    return [each for groups in found for each in groups]


@pytest.mark.parametrize(
    "places_",
    [
        pytest.param(own_places, id="held", marks=pytest.mark.needs("cgroups")),
        pytest.param(tuple, id="watched"),
    ],
)
def test_memory_above_the_limit_ends_it_and_says_which(run, places_):
    ended = run(limited(TAKES_MUCH, memory="150Mi"), places=places_).ended
    assert ended.reason is EndReason.OUT_OF_MEMORY
    assert ended.message.startswith("container main needed more than its 150Mi; raise its")


@pytest.mark.parametrize("none", ["0", 0, "0Mi"])
def test_a_limit_of_0_is_none(none):
    assert limits_of({"limits": {"memory": none, "cpu": none}}) == Limits()


@pytest.mark.parametrize("none", ["inf", "nan", "-1Gi", "1e99", "1e999999999", "1GB", ""])
def test_a_limit_that_is_no_quantity_is_refused(none):
    with pytest.raises(Unsupported, match="is not a quantity"):
        limits_of({"limits": {"memory": none}})


def test_a_resource_is_told_in_whole_parts_and_a_part_of_0_is_one(run):
    told = {"resource": "limits.memory", "divisor": "0"}
    code = "import os; print(os.environ['BYTES'])"
    main = container(
        *(sys.executable, "-c", code),
        resources={"limits": {"memory": "1Gi"}},
        env=[{"name": "BYTES", "valueFrom": {"resourceFieldRef": told}}],
    )
    assert run(job(main), places=tuple).output() == b"1073741824\n"


@pytest.mark.needs("cgroups")
class TestHeld:
    def test_a_program_gets_no_more_of_a_cpu_than_its_limit(self, run):
        usage = run(limited(BURNS, cpu="250m")).ended.usage
        assert usage.cpu_seconds < usage.wall_seconds * 0.6

    def test_nothing_of_the_group_is_left_behind(self, run, tmp_path):
        shows = limited("print(open('/proc/self/cgroup').read())", cpu="1", memory="1Gi")
        assert f"-{tmp_path.name}-" in run(shows).output().decode()
        assert groups(tmp_path) == []

    def test_a_trial_without_limits_gets_no_group(self, run):
        own = run(job(container("cat", "/proc/self/cgroup"))).output().decode()
        assert own == Path("/proc/self/cgroup").read_text(encoding="utf-8")


@pytest.fixture
def machine(tmp_path: Path):
    """A process in `user/app/run`, below a delegated `app`; returns its directory in /proc."""
    mount = tmp_path / "cgroup"
    for group, handed_down in (
        ("", "cpu memory pids"),
        ("user", "memory"),
        ("user/app", "cpu io memory"),
    ):
        (mount / group).mkdir(exist_ok=True)
        (mount / group / "cgroup.subtree_control").write_text(f"{handed_down}\n", encoding="ascii")
        (mount / group / "cgroup.procs").touch()
    own = mount / "user/app/run"
    own.mkdir()
    (own / "cgroup.subtree_control").touch()
    process = tmp_path / "proc"
    process.mkdir()
    (process / "cgroup").write_text("0::/user/app/run\n", encoding="ascii")
    (process / "mountinfo").write_text(
        f"31 23 0:28 / {mount} rw,relatime shared:4 - cgroup2 cgroup2 rw\n", encoding="ascii"
    )
    return process


class TestUnified:
    """Hierarchies of the second version, as files tell of them."""

    def test_groups_are_made_where_controllers_are_handed_down(self, machine: Path, tmp_path: Path):
        app = tmp_path / "cgroup/user/app"
        assert list(places(machine)) == [Place(app, frozenset({"cpu", "memory"}), unified=True)]

    def test_a_limit_is_written_before_a_process_is_there(self, machine: Path):
        group = make_group(list(places(machine)), "t", Limits(memory=1 << 20, cpu=1.5))
        (directory,) = group.directories
        assert group.holds_memory
        assert (directory / "memory.max").read_text() == "1048576"
        assert (directory / "cpu.max").read_text() == "150000 100000"

    def test_only_what_is_limited_is_held(self, machine: Path):
        group = make_group(list(places(machine)), "t", Limits(cpu=1))
        assert not group.holds_memory
        assert not (group.directories[0] / "memory.max").exists()

    @pytest.mark.parametrize(("kills", "exceeded"), [(0, False), (2, True)])
    def test_the_kernel_tells_whom_it_ended(self, machine: Path, kills: int, exceeded: bool):
        group = make_group(list(places(machine)), "t", Limits(memory=1))
        events = group.directories[0] / "memory.events"
        events.write_text(f"oom 9\noom_kill {kills}\noom_group_kill 7\n", encoding="ascii")
        assert group.was_exceeded() is exceeded

    def test_what_a_killed_engine_left_is_removed(self, machine: Path):
        where = list(places(machine))
        left = where[0].folder / "tunewright-token-job-0-main"
        left.mkdir()
        remove_left(where, ["token"])
        assert not left.exists()

    def test_a_place_that_cannot_be_written_holds_nothing(self, tmp_path: Path):
        gone = Place(tmp_path / "none/here", frozenset({"cpu"}), unified=True)
        assert make_group([gone], "t", Limits(cpu=1)).directories == ()

    def test_a_machine_without_control_groups_has_no_place(self, tmp_path: Path):
        assert held(list(places(tmp_path))) == frozenset()


def test_limits_that_nothing_holds_are_remarked_with_the_remedy():
    manifest = limited("", memory="1Gi", cpu="1")
    said = list(remarks_of(manifest, held={"memory"}))
    assert len(said) == 1
    assert said[0].startswith(
        "spec.template.spec.containers[0].resources.limits.cpu is not enforced"
    )
    assert "systemd-run --user --scope" in said[0]
