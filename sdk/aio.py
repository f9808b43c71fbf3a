"""`AsyncClient`: the verbs of `Client`, awaited. Each call runs in a thread."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, SupportsFloat

from ..api.asked import Answer
from ..api.space import Value
from .client import Client
from .results import Experiment, Result
from .values import Point, Sample, Trial
from .verbs import Pauses

_END = object()
_MOST_WAITING = 64


class AsyncClient:
    """Takes what `Client` takes, and raises what it raises.

    >>> async def names() -> list[str]:
    ...     async with AsyncClient() as client:
    ...         return [each.name for each in await client.experiments()]
    >>> asyncio.run(names())
    []

    Of an experiment that it returns, `ask` and `tell` are those of `Client`, which wait: await
    the ones here instead. A call that is cancelled may still be carried out.
    """

    def __init__(
        self,
        *,
        store: str | os.PathLike[str] | None = None,
        cluster: bool | str = False,
        kubeconfig: str | os.PathLike[str] | None = None,
        server: str | None = None,
        token: str | None = None,
        namespace: str | None = None,
    ) -> None:
        self._client = Client(
            store=store,
            cluster=cluster,
            kubeconfig=kubeconfig,
            server=server,
            token=token,
            namespace=namespace,
        )
        # Calls that take as long as an experiment have threads of their own.
        self._waiting = ThreadPoolExecutor(_MOST_WAITING, thread_name_prefix="tunewright-wait")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        self._waiting.shutdown(wait=False)
        await asyncio.to_thread(self._client.close)

    async def create(
        self,
        experiment: Mapping[str, Any] | str | os.PathLike[str],
        *,
        workdir: str | os.PathLike[str] | None = None,
    ) -> Experiment:
        return await asyncio.to_thread(self._client.create, experiment, workdir=workdir)

    async def experiments(self) -> Sequence[Experiment]:
        return await asyncio.to_thread(self._client.experiments)

    async def experiment(self, name: str) -> Experiment:
        return await asyncio.to_thread(self._client.experiment, name)

    async def trials(self, name: str, *, state: str | None = None) -> Sequence[Trial]:
        return await asyncio.to_thread(self._client.trials, name, state=state)

    async def trial(self, name: str, trial: int | str) -> Trial:
        return await asyncio.to_thread(self._client.trial, name, trial)

    async def best(self, name: str) -> Trial:
        return await asyncio.to_thread(self._client.best, name)

    async def result(self, name: str) -> Result:
        return await asyncio.to_thread(self._client.result, name)

    async def metrics(
        self, name: str, trial: int | str = "best", *, metric: str | None = None
    ) -> Sequence[Sample]:
        return await asyncio.to_thread(self._client.metrics, name, trial, metric=metric)

    async def logs(self, name: str, trial: int | str = "best") -> str:
        return await asyncio.to_thread(self._client.logs, name, trial)

    async def follow_logs(self, name: str, trial: int | str = "last") -> AsyncIterator[str]:
        parts = iter(self._client.follow_logs(name, trial))
        loop = asyncio.get_running_loop()
        while (part := await loop.run_in_executor(self._waiting, next, parts, _END)) is not _END:
            yield str(part)

    async def events(self, name: str) -> Sequence[Mapping[str, Any]]:
        return await asyncio.to_thread(self._client.events, name)

    async def explain(self, name: str) -> str:
        return await asyncio.to_thread(self._client.explain, name)

    async def wait(self, name: str, *, timeout: float | None = None) -> Experiment:  # noqa: ASYNC109 -- as of Client
        call = partial(self._client.wait, name, timeout=timeout)
        return await asyncio.get_running_loop().run_in_executor(self._waiting, call)

    async def pause(self, name: str, *, now: bool = False) -> None:
        await asyncio.to_thread(self._client.pause, name, now=now)

    async def resume(self, name: str) -> None:
        await asyncio.to_thread(self._client.resume, name)

    async def stop(self, name: str) -> None:
        await asyncio.to_thread(self._client.stop, name)

    async def delete(self, name: str) -> None:
        await asyncio.to_thread(self._client.delete, name)

    async def edit(
        self,
        name: str,
        *,
        max_trials: int | None = None,
        parallel: int | None = None,
        max_failed: int | None = None,
        max_duration: str | None = None,
        retries: int | None = None,
        no_improvement: int | None = None,
        goal: float | Literal["none"] | None = None,
        labels: Mapping[str, str | None] | None = None,
        note: str | None = None,
    ) -> None:
        await asyncio.to_thread(
            self._client.edit,
            name,
            max_trials=max_trials,
            parallel=parallel,
            max_failed=max_failed,
            max_duration=max_duration,
            retries=retries,
            no_improvement=no_improvement,
            goal=goal,
            labels=labels,
            note=note,
        )

    async def stop_trial(self, name: str, trial: int | str) -> None:
        await asyncio.to_thread(self._client.stop_trial, name, trial)

    async def retry_trial(self, name: str, trial: int | str) -> None:
        await asyncio.to_thread(self._client.retry_trial, name, trial)

    async def drop_trial(self, name: str, trial: int | str) -> None:
        await asyncio.to_thread(self._client.drop_trial, name, trial)

    async def add_trial(self, name: str, parameters: Mapping[str, Value]) -> None:
        await asyncio.to_thread(self._client.add_trial, name, parameters)

    async def answer(self, name: str) -> Answer:
        return await asyncio.to_thread(self._client.answer, name)

    async def ask(self, name: str, *, timeout: float | None = None) -> Point | None:  # noqa: ASYNC109 -- as of Client
        # Whoever waits must not take the threads in which others tell; and a call that was
        # cancelled halfway would take a point with it.
        pauses = Pauses(name, timeout)
        while True:
            answer = await self.answer(name)
            if answer.point is not None or answer.over:
                return answer.point
            await asyncio.sleep(pauses.after(answer))

    async def tell(
        self,
        name: str,
        point: Point,
        metrics: Mapping[str, SupportsFloat] | None = None,
        /,
        *,
        failed: str | None = None,
        **more: SupportsFloat,
    ) -> bool:
        return await asyncio.to_thread(
            self._client.tell, name, point, metrics, failed=failed, **more
        )
