"""What the guard knows of one process that it started."""


class Process:
    """One process that the engine asked for, and what is left of its tree."""

    def __init__(
        self, ident: int, pid: int, token: bytes, memory: int | None, undo: list[bytes] | None
    ) -> None:
        self.ident = ident
        self.pid = pid
        self.token = token
        self.memory = memory
        self.undo = undo
        self.status: int | None = None  # its wait status, once it has ended
        self.give_up_at = 0.0
        self.cpu = 0.0
        self.peak = 0
        self.signalled = False
        self.over = False
        self.kill_at: float | None = None
        self.orphans: set[int] = set()  # what it left behind, told to end
