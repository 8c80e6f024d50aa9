"""The finished weights of a cell, for whatever evaluates them again."""

from __future__ import annotations

from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.paths import Paths
from cenbench.pretrained.used import training_identity, used_files
from cenbench.records.digests import pretraining_code, training_code
from cenbench.train.trained import Trained, open_finished


def finished_weights(cell: Cell, paths: Paths, prepared: Prepared) -> Trained:
    """The cell's weights. `UserError` if there are none, or if other code, data or pretrained files made them."""
    used = used_files(cell, paths)
    identity = training_identity(cell, training_code(cell), prepared.digest, used, pretraining_code(cell))
    trained = open_finished(paths.state(cell), identity)
    if trained is None:
        raise UserError(
            "this cell has no finished weights made by the code, data and pretrained files that are here now",
            where=paths.state(cell),
            fix=f"cenbench run '{cell.id}' --preset PRESET (the preset you run), then rerun this command",
        )
    return trained
