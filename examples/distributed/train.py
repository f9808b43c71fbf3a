"""Data-parallel training in several processes, with what every launcher sets.

Each process holds a share of the digits and sends its gradient to rank 0, which
sends back the mean. The addresses come from MASTER_ADDR, MASTER_PORT, RANK and
WORLD_SIZE, as PyTorch's own launcher and the training operator set them.
"""

import argparse
import os
import time
from multiprocessing.connection import Client, Connection, Listener

import numpy as np
from sklearn.datasets import load_digits


def meet(rank: int, world: int) -> list[Connection]:
    """Connect rank 0 with every other rank."""
    address = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    if rank == 0:
        with Listener(address, authkey=b"digits") as listener:
            return [listener.accept() for _ in range(world - 1)]
    deadline = time.monotonic() + 30
    while True:
        try:
            return [Client(address, authkey=b"digits")]
        except OSError:  # rank 0 does not listen yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def mean_over_ranks(mine: np.ndarray, rank: int, peers: list[Connection]) -> np.ndarray:
    if rank != 0:
        peers[0].send(mine)
        return peers[0].recv()
    mean = np.mean([mine, *(peer.recv() for peer in peers)], axis=0)
    for peer in peers:
        peer.send(mean)
    return mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, default=0.5)
    parser.add_argument("--decay", type=float, default=0.0)
    parser.add_argument("--steps", type=int, default=60)
    args = parser.parse_args()
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    peers = meet(rank, world)

    images, digits = load_digits(return_X_y=True)
    images = images / 16.0
    share = slice(rank, 1200, world)
    wanted = np.eye(10)[digits[share]]
    weights = np.zeros((64, 10))
    for step in range(1, args.steps + 1):
        logits = images[share] @ weights
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances = powers / powers.sum(axis=1, keepdims=True)
        gradient = images[share].T @ (chances - wanted) / len(wanted) + args.decay * weights
        weights -= args.lr * mean_over_ranks(gradient, rank, peers)
        if rank == 0 and step % 10 == 0:
            accuracy = (np.argmax(images[1200:] @ weights, axis=1) == digits[1200:]).mean()
            print(f"step={step} accuracy={accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
