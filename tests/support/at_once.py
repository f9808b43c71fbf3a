"""An executor that has run what is submitted when it answers."""

from concurrent.futures import Executor, Future


class AtOnce(Executor):
    def submit(self, fn, /, *args, **kwargs):
        done = Future()
        done.set_result(fn(*args, **kwargs))
        return done
