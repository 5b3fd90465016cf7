"""Bad pictures are refused in one line at their section; odd ones are put right, with a warning where that matters."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from dlm_core.testing import Desk
from dlm_image.kind import Image

from .bad_files import REFUSED, TAKEN
from .conftest import front


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_at_its_section(name: str, desk: Desk) -> None:
    file, make, said = REFUSED[name]
    (desk.folder / file).write_bytes(make())
    started = time.process_time()
    done = desk.dlm("check", desk.write(f'A line.\n\n::image path="{file}"::\na picture\n', front()))
    assert (done.code, done.err.count("error[")) == (3, 1), done.err
    assert f"error[DLM0218]: {file} cannot be used: " in done.err
    assert said in done.err
    assert "notes.dlm:14:1" in done.err
    assert "Traceback" not in done.err
    assert time.process_time() - started < 5


@pytest.mark.parametrize("name", TAKEN)
def test_an_odd_file_is_put_right(name: str, desk: Desk) -> None:
    file, make, place, colour, said = TAKEN[name]
    (desk.folder / file).write_bytes(data := make())
    found = Image().load(data, {"longest": 512}).image().getpixel(place)
    assert isinstance(found, tuple)
    assert max(abs(int(one) - int(other)) for one, other in zip(found, colour, strict=True)) <= 2
    done = desk.dlm("check", desk.write(f'::image path="{file}"::\na picture\n', front()))
    assert done.code == 0, done.err
    told = done.out + done.err
    assert ("warning[DLM0219]" in told, said in told) == (bool(said), True), told


def test_a_bomb_takes_no_memory() -> None:
    """Forty megapixels that compress to nothing are decoded; a hundred are not, and neither costs more than it must."""
    code = (
        "import io, resource\n"
        "from dlm_image.kind import Image\n"
        "from PIL import Image as Pillow\n"
        "Image().fingerprint({})\nimport numpy\n"
        "out = io.BytesIO(); Pillow.new('1', (10000, 10000)).save(out, 'PNG')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    Image().load(out.getvalue(), {'longest': 512})\n"
        "except ValueError as error:\n    print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, grown = done.stdout.splitlines()
    assert "million pixels" in said
    assert int(grown) < 20_000  # KiB
