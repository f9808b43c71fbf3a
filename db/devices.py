"""The leases of devices: at most `shares` owners a device, whoever asks."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select

from .part import Part
from .records import AttemptState
from .schema import attempts, experiments, leases, trials


class Devices(Part):
    """The part of the store that is about devices of this machine."""

    def lease_devices(
        self, owner: str, wanted: int, *, inventory: Sequence[str], shares: int, now: float
    ) -> Sequence[str]:
        def work(connection: Connection) -> Sequence[str]:
            held = _held(connection, owner)
            if held:
                return held
            chosen = _chosen(inventory, shares, _taken(connection, inventory), wanted)
            if chosen:
                head = {"owner": owner, "leased_at": now}
                rows = [{"device": device, "share": share, **head} for device, share in chosen]
                connection.execute(insert(leases), rows)
            return tuple(device for device, _ in chosen)

        # Who leases one that another process leased at the same moment tries again.
        return self._database.write(work)

    def release_devices(self, owner: str) -> None:
        def work(connection: Connection) -> None:
            connection.execute(delete(leases).where(leases.c.owner == owner))

        self._database.write(work)

    def device_holders(self) -> Mapping[str, str | None]:
        with self._database.reading() as connection:
            owners = connection.execute(select(leases.c.owner).distinct()).scalars().all()
            going = connection.execute(
                select(attempts.c.token, experiments.c.uid)
                .join(trials, trials.c.id == attempts.c.trial_id)
                .join(experiments, experiments.c.id == trials.c.experiment_id)
                .where(attempts.c.token.in_({*map(_token_of, owners)}))
                .where(attempts.c.state != str(AttemptState.ENDED))
            )
            uids = {row.token: row.uid for row in going}
        return {owner: uids.get(_token_of(owner)) for owner in owners}


def _held(connection: Connection, owner: str) -> Sequence[str]:
    query = select(leases.c.device).where(leases.c.owner == owner).order_by(leases.c.device)
    return tuple(connection.execute(query).scalars())


def _taken(connection: Connection, inventory: Sequence[str]) -> Mapping[str, set[int]]:
    """Return which shares of each device are leased; until the transaction ends they stay so."""
    query = select(leases.c.device, leases.c.share).where(leases.c.device.in_(inventory))
    taken: dict[str, set[int]] = {device: set() for device in inventory}
    for device, share in connection.execute(query.with_for_update()):
        taken[device].add(share)
    return taken


def _chosen(
    inventory: Sequence[str], shares: int, taken: Mapping[str, set[int]], wanted: int
) -> Sequence[tuple[str, int]]:
    """Choose devices, each with a free share: the least used first; none where they are too few.

    Of equally used ones the first of the inventory is taken, and none twice.
    """
    free = {
        device: next(share for share in range(shares) if share not in taken[device])
        for device in inventory
        if len(taken[device]) < shares
    }
    by_use = sorted(free.items(), key=lambda entry: len(taken[entry[0]]))
    return by_use[:wanted] if len(by_use) >= wanted else ()


def _token_of(owner: str) -> str:
    return owner.partition("/")[0]
