"""Words for people."""


def counted(count: int, noun: str) -> str:
    """Return so many of a thing."""
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else several}"
