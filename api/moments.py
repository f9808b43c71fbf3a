"""Moments as documents carry them: RFC 3339, UTC."""

from datetime import UTC, datetime


def written(seconds: float) -> str:
    """Write a moment as Kubernetes' own clients read it: to the second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}Z"


def exactly(seconds: float) -> str:
    """Write a moment to the microsecond."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def read(text: str) -> float:
    """Read a moment as seconds since the epoch.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
