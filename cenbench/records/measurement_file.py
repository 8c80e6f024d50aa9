"""Reading a sealed file of what was measured of a cell after its training: corrupted inputs, corollary 1."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from cenbench.errors import UserError
from cenbench.files import read_sealed
from cenbench.matrix.validation import first_issue
from cenbench.regular_file import Missing

Document = TypeVar("Document", bound=BaseModel)


class Unusable(NamedTuple):
    """A file that is not there, is not what was written, or is another cell's."""

    state: Literal["missing", "damaged"]
    reason: str


def read_measurement(path: Path, cell_id: str, model: type[Document], missing: str) -> Document | Unusable:
    """The document of this cell, with a `cell_id` that is checked. Never raises; `missing` is the reason if absent."""
    try:
        document = read_sealed(path)
        found = model.model_validate(document)
    except Missing:
        return Unusable("missing", missing)
    except ValidationError as error:
        return Unusable("damaged", f"{path}: {first_issue(error).line()}")
    except UserError as error:
        return Unusable("damaged", str(error))
    if document["cell_id"] != cell_id:
        return Unusable("damaged", f"{path} is of another cell: {document['cell_id']}")
    return found
