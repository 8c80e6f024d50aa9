"""`croissant.json` is valid for the reference implementation and agrees with the manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import mlcroissant
import numpy as np
import pytest
from tiny_dataset import write_dataset

from cenbench.data.croissant import write_croissant
from cenbench.data.manifest import manifest_digest
from cenbench.data.prepared import Prepared


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    rng = np.random.default_rng(1)
    arrays = {
        "rgb": rng.integers(0, 256, (5, 4, 6, 3), dtype=np.uint8),
        "depth_zbuffer": rng.integers(0, 65536, (5, 4, 6), dtype=np.uint16),
        "semantic": rng.integers(0, 10, (5, 4, 6), dtype=np.uint8),
    }
    made = write_dataset(tmp_path_factory.mktemp("croissant"), arrays, train_scenes=3)
    before = manifest_digest(made.folder)
    write_croissant(made.folder, made.manifest)
    assert manifest_digest(made.folder) == before == Prepared.open(made.folder).digest
    return made


@pytest.fixture(scope="module")
def dataset(prepared: Prepared) -> mlcroissant.Dataset:
    """Read and validated by mlcroissant, which raises for an invalid document."""
    return mlcroissant.Dataset(jsonld=prepared.folder / "croissant.json")


def test_it_is_valid_and_complete(dataset: mlcroissant.Dataset, prepared: Prepared) -> None:
    metadata = dataset.metadata
    assert not metadata.ctx.issues.errors
    assert metadata.name == prepared.folder.name
    assert metadata.license == [prepared.manifest.licence]
    assert metadata.cite_as == prepared.manifest.citation
    described = {file.content_url: file.sha256 for file in metadata.distribution}
    stored = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in prepared.folder.glob("*.npy")}
    assert described == stored


def test_its_records_agree_with_the_manifest(dataset: mlcroissant.Dataset, prepared: Prepared) -> None:
    def records(name: str) -> list[dict[str, object]]:
        found = [{key.partition("/")[2]: value for key, value in record.items()} for record in dataset.records(name)]
        return [{k: v.decode() if isinstance(v, bytes) else v for k, v in record.items()} for record in found]

    assert records("splits") == [{"name": "train", "first": 0, "scenes": 3}, {"name": "val", "first": 3, "scenes": 2}]
    assert records("classes") == [{"label": label, "name": f"class{label}"} for label in range(10)]
    depth = next(record for record in records("modalities") if record["name"] == "depth_zbuffer")
    assert depth == {
        "name": "depth_zbuffer", "file": "depth_zbuffer.npy", "dtype": "uint16", "shape": "5 x 4 x 6",
        "unit": "a number", "smallest": 0, "largest": 65535, "missing": "",
    }  # fmt: skip


def test_an_invalid_document_would_be_caught(prepared: Prepared, tmp_path: Path) -> None:
    document = json.loads((prepared.folder / "croissant.json").read_text())
    del document["distribution"][0]["contentUrl"]
    document["recordSet"][0]["field"][0]["dataType"] = "sc:Nothing"
    path = tmp_path / "croissant.json"
    path.write_text(json.dumps(document))
    with pytest.raises(mlcroissant.ValidationError):
        mlcroissant.Dataset(jsonld=path)
