"""Scalars in TensorBoard's event files, read without TensorFlow.

A file is a sequence of records: length (8 bytes, little endian), its checksum,
data, its checksum. The data is an `Event` message of protocol buffers, of which
only what holds scalars is read.
"""

import math
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from ...api.observation import PlainSample, Sample

_HEADER = struct.Struct("<QI")
_DOUBLE = struct.Struct("<d")
_FLOAT = struct.Struct("<f")
_NUMBER = re.compile(r"_\d+$")
_LARGEST = 64 << 20
_MOST_TAGS = 1000
_CHECKED = 64 << 10
"""Records that are larger hold images and graphs; a checksum in Python would hold the loop."""

# Field numbers of Event, Summary.Value and TensorProto.
_WALL_TIME, _STEP, _SUMMARY = 1, 2, 5
_TAG, _SIMPLE_VALUE, _TENSOR = 1, 2, 8
_DTYPE, _CONTENT = 1, 4
_TENSOR_CONTENT = {1: "<f", 2: "<d", 3: "<i", 9: "<q", 19: "<e"}
_PACKED = {5: "<f", 6: "<d"}
_VARINTS = (7, 10)
_64_BITS = 2**64 - 1


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_TABLE = _crc_table()


def masked_crc32c(data: bytes) -> int:
    """Return the checksum that stands in event files."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class TfEventParser:
    """Reads samples off the bytes of one event file; `path` is that of the file.

    A metric `dir/name` is the tag `dir/name` of any file, or the tag `name` of a
    file whose folder ends in `dir`; TensorFlow's numbered tags (`name_1`) are `name`.
    A record of which only a part is there waits for the rest. A file that is
    damaged is read up to there; `damaged` says so.
    """

    def __init__(self, metrics: Sequence[str], path: str) -> None:
        self._metrics = tuple(metrics)
        self._folder = PurePosixPath(path).parent.parts
        self._buffer = bytearray()
        self._by_tag: dict[str, tuple[str, ...]] = {}
        self._skip = 0
        self.first: int | None = None
        """The checksum of the first whole record, which holds when the file was begun."""
        self.damaged = False

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of scalars that were seen, asked for or not."""
        return tuple(self._by_tag)

    def feed(self, data: bytes) -> list[PlainSample]:
        if self.damaged:
            return []
        self._buffer += data
        return [sample for record in self._records() for sample in self._event(record)]

    def _records(self) -> Iterator[bytes]:
        buffer = self._buffer
        at = 0
        while len(buffer) - at >= _HEADER.size or self._skip:
            if self._skip:
                step = min(self._skip, len(buffer) - at)
                at += step
                self._skip -= step
                if self._skip:
                    break
                continue
            length, crc = _HEADER.unpack_from(buffer, at)
            if masked_crc32c(bytes(buffer[at : at + 8])) != crc:
                self.damaged = True
                break
            whole = _HEADER.size + length + 4
            if length > _LARGEST:
                self._skip = whole
                continue
            if len(buffer) - at < whole:
                break
            data = bytes(buffer[at + _HEADER.size : at + whole - 4])
            (crc,) = struct.unpack_from("<I", buffer, at + whole - 4)
            at += whole
            if self.first is None:
                self.first = crc
            if length > _CHECKED or masked_crc32c(data) == crc:
                yield data
        del buffer[:at]
        if self.damaged:
            buffer.clear()

    def _event(self, record: bytes) -> Iterator[Sample]:
        time, step, summaries = 0.0, 0, []
        try:
            for field, value in _fields(record):
                if field == _WALL_TIME and isinstance(value, bytes):
                    (time,) = _DOUBLE.unpack(value)
                elif field == _STEP and isinstance(value, int):
                    step = value - (1 << 64) if value >> 63 else value
                elif field == _SUMMARY and isinstance(value, bytes):
                    summaries.append(value)
            scalars = [scalar for summary in summaries for scalar in _scalars(summary)]
        except (ValueError, struct.error):
            return
        if not math.isfinite(time):
            return  # no database keeps it
        for tag, number in scalars:
            for metric in self._named(tag):
                yield Sample(metric, number, time, step)

    def _named(self, tag: str) -> tuple[str, ...]:
        known = self._by_tag.get(tag)
        if known is None:
            known = tuple(metric for metric in self._metrics if self._is(metric, tag))
            if len(self._by_tag) < _MOST_TAGS:
                self._by_tag[tag] = known
        return known

    def _is(self, metric: str, tag: str) -> bool:
        if tag == metric:
            return True
        *folder, name = PurePosixPath(metric).parts or ("",)
        if folder and self._folder[-len(folder) :] != tuple(folder):
            return False
        return tag == name or (tag not in self._metrics and _NUMBER.sub("", tag) == name)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in {1, 5}:
            size = 8 if kind == 1 else 4
        else:
            raise ValueError("not a protocol buffer")
        if at + size > end:
            raise ValueError("a field is cut short")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _64_BITS, at  # as protocol buffers are read
        shift += 7
    raise ValueError("a number is cut short")


def _scalars(summary: bytes) -> Iterator[tuple[str, float]]:
    for field, value in _fields(summary):
        if field != 1 or not isinstance(value, bytes):
            continue
        tag, number = "", None
        for inner, part in _fields(value):
            if not isinstance(part, bytes):
                continue
            if inner == _TAG:
                tag = part.decode("utf-8", "replace")
            elif inner == _SIMPLE_VALUE:
                (number,) = _FLOAT.unpack(part)
            elif inner == _TENSOR:
                number = _tensor(part)
        if tag and number is not None:
            yield tag, number


def _tensor(data: bytes) -> float | None:
    dtype = 0
    for field, value in _fields(data):
        if field == _DTYPE and isinstance(value, int):
            dtype = value
        elif field == _CONTENT and isinstance(value, bytes):
            form = _TENSOR_CONTENT.get(dtype)
            if form is not None and len(value) == struct.calcsize(form):
                return float(struct.unpack(form, value)[0])
        elif field in _PACKED and isinstance(value, bytes):
            if len(value) == struct.calcsize(_PACKED[field]):
                return float(struct.unpack(_PACKED[field], value)[0])
        elif field in _VARINTS:
            raw, end = (value, 0) if isinstance(value, int) else _varint(value, 0)
            if isinstance(value, int) or end == len(value):
                return float(raw - (1 << 64) if raw >> 63 else raw)
    return None
