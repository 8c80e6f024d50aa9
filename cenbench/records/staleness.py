"""When a finished cell is stale: other code, data or pretrained weights are here now than those that made its record.

Compared by digest (`cenbench.records.digests`), never by time. What makes Snakemake run a cell again is the same list,
in `cenbench.schedule.dag`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cenbench.records.digests import Digests

WHAT = {
    "training_code": "the training code changed since",
    "evaluation_code": "the evaluation code changed since",
    "data": "the dataset changed since",
    "pretrained": "the pretrained weights changed since",
    "pretraining": "the code of the pretraining changed since",
}


def why_stale(document: Mapping[str, Any], now: Digests) -> str | None:
    """What changed since the record was written, in words; None if nothing did. `document` is its metrics.json.

    A dataset or pretrained file that is no longer on this disk does not make the result stale; nor does other training
    code where the weights were imported.
    """
    ignored = {"training_code"} if document.get("origin") == "imported" else set()
    expected = {name: value for name, value in now.as_dict().items() if name not in ignored and value is not None}
    changed = [WHAT[name] for name, value in expected.items() if document["digests"].get(name) != value]
    return "; ".join(changed) or None
