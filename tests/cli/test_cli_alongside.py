"""What is done alongside a service: it ends with it, and the service with what fails."""

import asyncio
from contextlib import suppress

import pytest
from tunewright.cli.alongside import alongside


async def fails() -> None:
    raise LookupError("it failed")


def test_a_service_ends_with_the_error_of_what_fails_alongside():
    async def serve() -> None:
        async with alongside(fails()):
            await asyncio.Event().wait()

    with pytest.raises(LookupError, match="it failed"):
        asyncio.run(serve())


def test_an_error_is_told_though_the_service_takes_its_end_for_the_wanted_one():
    async def serve() -> None:
        async with alongside(fails()):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    with pytest.raises(LookupError, match="it failed"):
        asyncio.run(serve())


def test_it_ends_with_the_service_whose_own_error_is_told():
    ended = []

    async def goes_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("goes on")

    async def serve() -> None:
        async with alongside(goes_on()):
            await asyncio.sleep(0)
            raise ValueError("the port is taken")

    with pytest.raises(ValueError, match="the port is taken"):
        asyncio.run(serve())
    assert ended == ["goes on"]
