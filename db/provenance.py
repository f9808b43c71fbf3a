"""The rows that say which code the trials of an experiment ran."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from .part import Part
from .records import Provenance
from .schema import provenance


class ProvenanceRows(Part):
    """The part of the store that is about the code behind a trial."""

    def note_provenance(self, uid: str, found: Provenance) -> None:
        def work(connection: Connection) -> None:
            connection.execute(
                insert(provenance).values(
                    experiment_id=self._id(connection, uid),
                    at=found.at,
                    commit_id=found.commit,
                    changed=found.changed,
                    script=found.script,
                    digest=found.digest,
                )
            )

        self._database.write(work)

    def provenance(self, uid: str) -> Sequence[Provenance]:
        with self._database.reading() as connection:
            query = (
                select(provenance)
                .where(provenance.c.experiment_id == self._id(connection, uid))
                .order_by(provenance.c.id)
            )
            return [
                Provenance(row.at, row.commit_id, bool(row.changed), row.script, row.digest)
                for row in connection.execute(query)
            ]
