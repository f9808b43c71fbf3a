"""The leases of devices: at most `shares` owners a device, whoever asks."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select

from .observations import Observations
from .records import AttemptState
from .schema import attempts, experiments, leases, trials


class Devices(Observations):
    """The part of the store that is about devices of this machine."""

    def lease_devices(
        self, owner: str, wanted: int, *, inventory: Sequence[str], shares: int, now: float
    ) -> Sequence[str]:
        def work(connection: Connection) -> Sequence[str]:
            held = connection.execute(
                select(leases.c.device).where(leases.c.owner == owner).order_by(leases.c.device)
            ).scalars()
            mine = list(held)
            if mine:
                return mine
            taken: dict[str, set[int]] = {}
            rows = connection.execute(
                select(leases.c.device, leases.c.share)
                .where(leases.c.device.in_(inventory))
                .with_for_update()
            )
            for row in rows:
                taken.setdefault(row.device, set()).add(row.share)
            free = [
                (device, share)
                for device in inventory
                for share in range(shares)
                if share not in taken.get(device, ())
            ]
            # The least used first, in the order of the inventory; no device twice.
            by_use = sorted(dict(free).items(), key=lambda entry: len(taken.get(entry[0], ())))
            chosen = by_use[:wanted]
            if len(chosen) < wanted:
                return ()
            rows_of_lease = [
                {"device": device, "share": share, "owner": owner, "leased_at": now}
                for device, share in chosen
            ]
            if rows_of_lease:
                connection.execute(insert(leases), rows_of_lease)
            return [device for device, _ in chosen]

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


def _token_of(owner: str) -> str:
    return owner.partition("/")[0]
