"""A stand-in for `cenbench run` that sleeps, then leaves the files of a finished cell.

benchmarks/scale.py puts it in place of `cenbench/__main__.py` in a temporary copy of a checkout; every other command
runs as it is. It imports only the standard library, so that the scheduler is measured and not ten thousand imports of
torch. Each cell's `metrics.json` and `provenance.json` were written beforehand to `stand-in/`.
"""

import shutil
import sys
import time
from pathlib import Path

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080000000"
    "03a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)
SLEEP_S = 0.01
SAMPLES, SAMPLE_BYTES = 4, 12_000
LOG = "12:00:00 a line of the log of about this length\n" * 10
_COLUMNS = "step,epoch,nll_rgb,nll_depth,nll_ensemble,l1,lr_encoder,lr_decoder,below_theta_rgb,below_theta_depth"
_ROWS = (",".join([str(step)] + [str(1 / step)] * _COLUMNS.count(",")) for step in range(1, 61))
FILES = {
    "history.csv": "\n".join((_COLUMNS, *_ROWS, "")).encode(),
    "per_image.safetensors": b"",
    **{f"samples/{number:03}.png": PNG.ljust(SAMPLE_BYTES) for number in range(SAMPLES)},
}
"""What lies beside metrics.json and provenance.json, the same for every cell, as large as for one of the study preset;
except for per_image.safetensors (300 kB there), of which only the digest is read."""


def finish(cell: str, root: Path) -> None:
    """Write every file that training, evaluating and publishing this cell would leave behind."""
    metrics = root / "stand-in" / f"{cell}.json"
    training_id = metrics.with_suffix(".training-id").read_text()
    state, published = root / "results" / "state" / training_id, root / "results" / "cells" / cell
    (published / "samples").mkdir(parents=True, exist_ok=True)
    state.mkdir(parents=True, exist_ok=True)
    for name in ("lock", "history.csv", "heartbeat.json", "weights.safetensors", "finished.json"):
        (state / name).write_text("stand-in\n")
    for name, data in FILES.items():
        (published / name).write_bytes(data)
    shutil.copy(metrics.with_suffix(".provenance.json"), published / "provenance.json")
    shutil.copy(metrics, published / "metrics.json")


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        time.sleep(SLEEP_S)
        finish(sys.argv[2], Path.cwd())
    else:
        from cenbench.cli.main import main

        main()
