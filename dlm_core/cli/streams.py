"""Standard output and error that never fail on a character: what an encoding lacks is written in another way."""

from __future__ import annotations

import codecs
import sys
from typing import IO

#: What stands for a drawing or a sign where only ASCII can be written.
ASCII = {
    **dict(zip("·–▼▲●◆•✗━╸╺─│┤┬┼├└┴█▏▌░“”‘’\u00a0", "--v^*o*x=---||+++++#|#.\"\"'' ", strict=True)),
    **dict(zip("→…×—±≥≤✓⏎⟦⟧", ("->", "...", "x", "--", "+-", ">=", "<=", "ok", "\\n", "[[", "]]"), strict=True)),
}
_NAME = "dlm-ascii"


def prepare_streams() -> None:
    """Make stdout and stderr write every text; called once a command."""
    codecs.register_error(_NAME, _replace)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and stream.errors != _NAME:
            stream.reconfigure(errors=_NAME)


def is_unicode(stream: IO[str]) -> bool:
    """Whether any character can be written to this stream; true of a stream without an encoding, which keeps text."""
    name = getattr(stream, "encoding", None)
    try:
        return name is None or codecs.lookup(name).name.startswith("utf")
    except LookupError:
        return False


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    one = error.object[error.start]
    if one in ASCII:
        return ASCII[one], error.start + 1
    if "\u2800" <= one <= "\u28ff":
        return "*", error.start + 1
    escaped, _ = codecs.backslashreplace_errors(UnicodeEncodeError(error.encoding, one, 0, 1, error.reason))
    return escaped, error.start + 1
