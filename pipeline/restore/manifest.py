"""`models/<name>/manifest.json`: what a network is and what made it, or why it could not be made. Without torch.

The manifest of a chain or an ensemble names two others in `parts`. The *tree* of a network is its name, {"chain": [tree, ...]},
{"mean": [tree, ...]} or {"bands SIGMA": [coarse tree, fine tree]}, as it can be written as JSON.
"""
from pathlib import Path

from pipeline.core.files import read_json, write_json

FORMAT = 1  # of a manifest and its weights. One without this field is of format 1.
TREES = {"chain": "chain", "ensemble": "mean"}  # `arch` of what is made of other networks -> its key in a tree

BANDS = "bands"


class AbsentNetwork(Exception):
    """This network could not be trained; the text says what was missing."""


def save_absent(folder: Path | str, reason: str) -> None:
    """Write the stand-in of a network that could not be trained."""
    write_json(Path(folder) / "manifest.json", {"absent": reason})


def read_manifest(folder: Path | str) -> dict:
    """A network's manifest. Raises FileNotFoundError, AbsentNetwork for a stand-in, or ValueError for a newer format."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: no manifest.json here; is that a trained network?")
    manifest = read_json(path)
    if "absent" in manifest:
        raise AbsentNetwork(manifest["absent"])
    check_format(manifest, path)
    return manifest


def check_format(manifest: dict, where: Path | str) -> None:
    """Raise ValueError for a network of a newer format than this code knows."""
    if manifest.get("format", 1) > FORMAT:
        raise ValueError(f"{where}: a network of format {manifest['format']}, this code knows formats up to {FORMAT}: update "
                         "the code, or train the network with this one")


def tree_of(name: str, models: Path | str = "models") -> str | dict:
    """The tree of the network `name` below `models`. A chain in a chain is taken apart, and an ensemble in an ensemble too,
    whose networks are then there once each. Raises as `read_manifest` does."""
    manifest = read_manifest(Path(models, name))
    kind = TREES.get(manifest["arch"])
    if kind is None:
        return name
    trees = [tree_of(part, models) for part in manifest["parts"]]
    if "below" in manifest:
        return {f"{BANDS} {manifest['below']:g}": trees}
    parts = [part for tree in trees for part in (tree[kind] if isinstance(tree, dict) and kind in tree else [tree])]
    if kind == "mean":
        parts = [part for i, part in enumerate(parts) if part not in parts[:i]]
    return {kind: parts} if len(parts) > 1 else parts[0]


def leaves(tree: str | dict) -> list[str]:
    """The networks with weights of their own in a tree, in their order, as often as they are there."""
    if isinstance(tree, str):
        return [tree]
    return [name for parts in tree.values() for part in parts for name in leaves(part)]


def in_words(tree: str | dict) -> str:
    """Such as `a -> mean of (b, c)`."""
    if isinstance(tree, str):
        return tree
    (kind, parts), = tree.items()
    words = [in_words(part) for part in parts]
    if kind.startswith(BANDS):
        return f"(what is coarser than {sigma_of(kind):g} pixels of {words[0]}, the rest of {words[1]})"
    return " -> ".join(words) if kind == "chain" else f"mean of ({', '.join(words)})"


def sigma_of(kind: str) -> float:
    """The Gaussian's, in output pixels, of a tree's key `bands SIGMA`."""
    return float(kind.removeprefix(BANDS))
