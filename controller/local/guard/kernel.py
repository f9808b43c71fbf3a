"""What the guard asks of the kernel: who is there, whose child it is, what it holds."""

import contextlib
import ctypes
import os
import sys

TOKEN = b"TUNEWRIGHT_TOKEN"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000


def become_subreaper(libc: ctypes.CDLL) -> None:
    """Have the orphans of all descendants become this process's children."""
    if sys.platform == "linux":
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def stat_fields(pid: int) -> list[bytes]:
    """Return what follows the program's name in /proc/PID/stat: state, parent, group, session."""
    with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
        return file.read(4096).rpartition(b")")[2].split()


def start_time(pid: int) -> float:
    """Return when a process started, in seconds since boot: with its pid, its identity."""
    try:
        return int(stat_fields(pid)[19]) / TICKS
    except (OSError, IndexError):
        return 0.0


def token_of(pid: int) -> bytes | None:
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            environ = file.readall() or b""
    except OSError:
        return None
    for entry in environ.split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name == TOKEN:
            return value
    return None


def parents() -> dict[int, int]:
    """Return the parent of every process that can be seen."""
    found = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                found[int(name)] = int(stat_fields(int(name))[1])
    return found


def own_children() -> list[int]:
    """Return the guard's children. Only the guard reaps them, so the kernel's list is exact."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb", buffering=0) as file:
            return [int(pid) for pid in (file.readall() or b"").split()]
    except OSError:
        own = os.getpid()
        return [pid for pid, parent in parents().items() if parent == own]


def resident(pid: int, limit: int) -> int:
    """Return the memory of a process; shared pages are shared out only when it matters."""
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            size = int(file.read(200).split()[1]) * PAGE
        if size < limit // 8:
            return size
        with open(f"/proc/{pid}/smaps_rollup", "rb", buffering=0) as file:
            for line in (file.readall() or b"").splitlines():
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, IndexError):
        return 0
    return size


def send_signal(pid: int, number: int, *, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, number)


def enter_namespace(libc: ctypes.CDLL, binds: list[tuple[bytes, bytes]]) -> None:
    """Give this process a view of the file system of its own, in which each bind holds."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if uid else 0)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no mount namespace: {os.strerror(number)}")
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"),
                           ("gid_map", f"{gid} {gid} 1")):  # fmt: skip
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    mounts = [(b"none", b"/", MS_REC | MS_PRIVATE)]
    mounts += [(source, target, MS_BIND | MS_REC) for source, target in binds]
    for source, target, flags in mounts:
        if libc.mount(source, target, None, flags, None) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{os.fsdecode(target)}: {os.strerror(number)}")
