"""Reverse-mode differentiation of a few numpy operations: all that enas' controller is made of."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
_Pull: TypeAlias = Callable[[Array], Array]


class Var:
    """A value, and how a gradient goes on from it to what it was made of."""

    __slots__ = ("grad", "parents", "value")

    def __init__(self, value: Array, parents: Sequence[tuple["Var", _Pull]] = ()) -> None:
        self.value = value
        self.parents = parents
        self.grad: Array | None = None

    def __add__(self, other: "Var | float") -> "Var":
        other = _var(other)
        return Var(
            self.value + other.value,
            ((self, _like(self)), (other, _like(other))),
        )

    def __mul__(self, other: "Var | Array | float") -> "Var":
        other = _var(other)
        mine, theirs = self.value, other.value
        return Var(
            mine * theirs,
            (
                (self, lambda grad: _summed(grad * theirs, mine.shape)),
                (other, lambda grad: _summed(grad * mine, theirs.shape)),
            ),
        )

    def __matmul__(self, other: "Var") -> "Var":
        mine, theirs = self.value, other.value
        return Var(
            mine @ theirs,
            ((self, lambda grad: grad @ theirs.T), (other, lambda grad: mine.T @ grad)),
        )

    def backward(self) -> None:
        """Set the gradient of this number in everything that it was made of."""
        order: list[Var] = []
        _sort(self, order, set())
        self.grad = np.ones_like(self.value)
        for node in reversed(order):
            for parent, pull in node.parents:
                assert node.grad is not None
                pulled = pull(node.grad)
                parent.grad = pulled if parent.grad is None else parent.grad + pulled


def _sort(root: Var, order: list[Var], seen: set[int]) -> None:
    """List everything that a value was made of, what is made of something behind it."""
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(parent, False) for parent, _ in node.parents]


def _var(value: "Var | Array | float") -> Var:
    return value if isinstance(value, Var) else Var(np.asarray(value, dtype=np.float64))


def _summed(grad: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting."""
    while grad.ndim > len(shape):
        grad = grad.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and grad.shape[axis] != 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


def _like(node: Var) -> _Pull:
    shape = node.value.shape
    return lambda grad: _summed(grad, shape)


def tanh(node: Var) -> Var:
    value = np.tanh(node.value)
    return Var(value, ((node, lambda grad: grad * (1 - value * value)),))


def sigmoid(node: Var) -> Var:
    value = 0.5 * (1 + np.tanh(0.5 * node.value))
    return Var(value, ((node, lambda grad: grad * value * (1 - value)),))


def log_sigmoid(node: Var) -> Var:
    value = -np.logaddexp(0.0, -node.value)
    slope = 1 - np.exp(value)
    return Var(value, ((node, lambda grad: grad * slope),))


def log_softmax(node: Var) -> Var:
    """Of each row."""
    shifted = node.value - node.value.max(axis=1, keepdims=True)
    value = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    share = np.exp(value)
    return Var(value, ((node, lambda grad: grad - share * grad.sum(axis=1, keepdims=True)),))


def exp(node: Var) -> Var:
    value = np.exp(node.value)
    return Var(value, ((node, lambda grad: grad * value),))


def columns(node: Var, first: int, last: int) -> Var:
    def pull(grad: Array) -> Array:
        whole = np.zeros_like(node.value)
        whole[:, first:last] = grad
        return whole

    return Var(node.value[:, first:last], ((node, pull),))


def rows(node: Var, numbers: NDArray[np.int64]) -> Var:
    """Take rows of a table, some perhaps several times."""

    def pull(grad: Array) -> Array:
        whole = np.zeros_like(node.value)
        np.add.at(whole, numbers, grad)
        return whole

    return Var(node.value[numbers], ((node, pull),))


def picked(node: Var, numbers: NDArray[np.int64]) -> Var:
    """Take one entry of each row, as a column."""
    places = np.arange(len(numbers))

    def pull(grad: Array) -> Array:
        whole = np.zeros_like(node.value)
        whole[places, numbers] = grad[:, 0]
        return whole

    return Var(node.value[places, numbers][:, None], ((node, pull),))


def total(node: Var) -> Var:
    """Sum the columns of each row, as a column."""
    shape = node.value.shape
    return Var(
        node.value.sum(axis=1, keepdims=True), ((node, lambda grad: np.broadcast_to(grad, shape)),)
    )


def mean(node: Var) -> Var:
    """The mean of all entries."""
    shape, size = node.value.shape, node.value.size
    value = np.asarray(node.value.mean())
    return Var(value, ((node, lambda grad: np.broadcast_to(grad / size, shape)),))
