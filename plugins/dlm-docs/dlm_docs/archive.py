"""Zip files that are documents: opened with limits on what they unpack to, and on what their XML may do."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from xml.parsers import expat

#: Entries, and bytes of the parts that are read.
MOST_ENTRIES, MOST_BYTES = 20_000, 256 << 20
#: Elements of one XML part: half a million take Mammoth half a minute and 600 MB, and are some 3,000 pages.
MOST_ELEMENTS = 500_000


class Archive:
    """A zip file in memory.  What it has unpacked so far is counted over all parts."""

    def __init__(self, archive: zipfile.ZipFile, most: int) -> None:
        self._archive, self._left, self._most = archive, most, most
        self.names = frozenset(archive.namelist())

    def read(self, name: str) -> bytes:
        """The bytes of a part.  Raises ValueError for one that is not there, damaged, encrypted or too large."""
        try:
            with self._archive.open(name) as part:
                data = part.read(self._left + 1)
        except KeyError:
            raise ValueError(f"its part {name} is missing") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise ValueError(f"its part {name} cannot be unpacked: {error}") from error
        if len(data) > self._left:
            raise ValueError(f"it unpacks to more than {self._most} bytes")
        self._left -= len(data)
        return data


@contextmanager
def open_archive(data: bytes, most: int = MOST_BYTES) -> Iterator[Archive]:
    """The zip file in these bytes.  Raises ValueError for what is none, or has too many parts."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ValueError("encrypted, or of an older format")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise ValueError(f"damaged: {error}") from error
    with archive:
        if len(archive.namelist()) > MOST_ENTRIES:
            raise ValueError(f"it has more than {MOST_ENTRIES} parts")
        yield Archive(archive, most)


def check_xml(data: bytes, name: str) -> bytes:
    """The same bytes.  Raises ValueError for XML that is broken, that has too many elements to be held as objects, or
    that declares entities, as no such document needs to."""
    elements = 0

    def refuse(*_: object) -> None:
        raise ValueError(f"its part {name} declares entities")

    def count(*_: object) -> None:
        nonlocal elements
        elements += 1
        if elements > MOST_ELEMENTS:
            raise ValueError(f"its part {name} has more than {MOST_ELEMENTS} elements")

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = count
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"its part {name} is broken XML: {error}") from error
    return data
