from __future__ import annotations

import subprocess
import sys

import numpy as np

from stable_tiles.usage import decodable_bytes, machine_bytes, peak_rss_bytes

PROBE = "from stable_tiles.usage import peak_rss_bytes; print(peak_rss_bytes())"


def test_the_peak_is_this_programs_own_and_grows_with_what_it_takes() -> None:
    before = peak_rss_bytes()
    taken = np.ones(max(before, 2**28), np.uint8)
    assert peak_rss_bytes() > before
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    if sys.platform == "linux":
        assert int(done.stdout) < taken.nbytes / 2


def test_what_may_be_decoded_fits_into_memory() -> None:
    assert decodable_bytes(1000) == 1000
    assert decodable_bytes(2**62) < machine_bytes()
