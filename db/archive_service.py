"""The archive over the wire: `tunewright.v1` `Archive`, for the operator alone."""

from collections.abc import Callable

import grpc

from ..proto import tunewright_pb2 as pb
from ..proto import tunewright_pb2_grpc
from . import archive, convert_archive, sweeping
from .authority import Authority, calling
from .store import Store


class ArchiveService(tunewright_pb2_grpc.ArchiveServicer):
    def __init__(self, store: Store, clock: Callable[[], float], authority: Authority) -> None:
        self._store = store
        self._clock = clock
        self._authority = authority

    def Keep(  # noqa: N802 # the protocol's name
        self, request: pb.KeepRequest, context: grpc.ServicerContext
    ) -> pb.KeepReply:
        calling(self._authority, context).to_operate()
        experiment, trials = convert_archive.kept(request)
        lacking = archive.keep(self._store, experiment, trials, now=self._clock())
        return pb.KeepReply(next_index=lacking)

    def Look(  # noqa: N802 # the protocol's name
        self, request: pb.LookRequest, context: grpc.ServicerContext
    ) -> pb.LookReply:
        calling(self._authority, context).to_operate()
        wanted = [(one.index, one.attempt) for one in request.attempts]
        found = archive.look(self._store, request.uid, wanted)
        return convert_archive.look_reply(list(found.items()))

    def Stops(  # noqa: N802 # the protocol's name
        self, _request: pb.StopsRequest, context: grpc.ServicerContext
    ) -> pb.StopsReply:
        calling(self._authority, context).to_operate()
        return convert_archive.stops_reply(archive.stops(self._store))

    def Missing(  # noqa: N802 # the protocol's name
        self, request: pb.MissingRequest, context: grpc.ServicerContext
    ) -> pb.MissingReply:
        calling(self._authority, context).to_operate()
        present, namespaces = set(request.uids), set(request.namespaces)
        found = sweeping.missing(self._store, present, namespaces, now=self._clock())
        return convert_archive.missing_reply(found)

    def Forget(  # noqa: N802 # the protocol's name
        self, request: pb.ForgetRequest, context: grpc.ServicerContext
    ) -> pb.ForgetReply:
        calling(self._authority, context).to_operate()
        sweeping.forget(self._store, request.uids)
        return pb.ForgetReply()

    def KeepOutput(  # noqa: N802 # the protocol's name
        self, request: pb.KeepOutputRequest, context: grpc.ServicerContext
    ) -> pb.KeepOutputReply:
        calling(self._authority, context).to_operate()
        key = (request.uid, request.index, request.attempt)
        self._store.keep_output(*key, archive.STREAM, request.tail)
        return pb.KeepOutputReply()
