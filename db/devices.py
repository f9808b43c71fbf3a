"""The leases of devices: at most `shares` owners a device, whoever asks."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select

from .observations import Observations
from .schema import leases


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

    def device_owners(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        with self._database.reading() as connection:
            query = select(leases.c.device, leases.c.owner).order_by(
                leases.c.device, leases.c.share
            )
            for row in connection.execute(query):
                found.setdefault(row.device, []).append(row.owner)
        return found
