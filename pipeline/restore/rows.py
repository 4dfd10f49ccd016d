"""The networks that photos can be restored with, by name."""
from pathlib import Path

from pipeline.core.files import read_json
from pipeline.restore.named import alone_in
from pipeline.restore.starters import starters


def trained(models: Path | str) -> dict[str, dict]:
    """Name -> manifest of the networks, chains and ensembles in a folder such as models/. What could not be trained, or learns
    from each photo anew (`zssr`), is left out."""
    manifests = {path.parent.name: read_json(path) for path in sorted(Path(models).glob("*/manifest.json"))}
    return {name: manifest for name, manifest in manifests.items() if "weights" in manifest}


def rows(models: Path | str) -> dict[str, dict]:
    """The same, and the starters: what `Restorer` takes by name. A damaged starter has an empty manifest; loading it tells."""
    return {name: alone_in(file) or {} for name, file in starters().items()} | trained(models)
