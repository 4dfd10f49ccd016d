"""Convert somebody else's file of weights to one of our networks: `python -m pipeline.stages.convert KEY` of `imports`."""
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.entries import Import
from pipeline.core.files import sha256
from pipeline.nets.layouts.convert import converted_network
from pipeline.nets.layouts.files import read_weights
from pipeline.nets.spandrel import options_of, spandrel_network
from pipeline.restore.named import saw_truth
from pipeline.restore.network import save_network


def convert(name: str, entry: Import) -> None:
    """Write models/NAME. Raises ValueError, which names the file and the key, when its weights are not what the entry says."""
    state, options = read_weights(entry.file), entry.options
    if (told := saw_truth(entry.file)) and not entry.saw_truth:
        raise ValueError(f"imports.{name}.saw_truth: got false, wanted true, as {entry.file} says that its network saw truth")
    try:
        if entry.layout == "spandrel":
            network, options = spandrel_network(state), options_of(state)
        else:
            network = converted_network(state, entry.layout, entry.arch, options)
    except ValueError as error:
        raise ValueError(f"{entry.file}: {error}") from error
    save_network(Path("models", name), network, entry.arch, options, {
        "file": Path(entry.file).name, "sha256": sha256(entry.file), "layout": entry.layout,
        **({"saw_truth": True} if told or entry.saw_truth else {})})


def main(key: str) -> None:
    convert(key, params.load().entry("imports", key))


if __name__ == "__main__":
    run_stage(main)
