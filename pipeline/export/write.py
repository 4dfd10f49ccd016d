"""A row as a file for other programs, or for `restore` elsewhere, with its model card beside it."""
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipeline.compare.kinds import with_images
from pipeline.core.files import write
from pipeline.core.graph import graph
from pipeline.core.params import load
from pipeline.export import hub
from pipeline.export.card import Export, card, items, truth_behind
from pipeline.export.onnx_graph import OPSET, PROBES, TOLERANCE, graph_of, onnx_difference, versions
from pipeline.nets.layouts.convert import exported, layout_of
from pipeline.nets.layouts.files import write_weights
from pipeline.restore.manifest import AbsentNetwork, in_words, leaves, read_manifest, tree_of
from pipeline.restore.named import named, network_of, write_row
from pipeline.restore.network import load_network

SNIPPET = """
```python
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("FILE")
image = np.asarray(Image.open("photo.png").convert("RGB"), np.float32).transpose(2, 0, 1)[None] / 255
restored = session.run(None, {"image": image})[0][0].transpose(1, 2, 0)
Image.fromarray((restored.clip(0, 1) * 255 + 0.5).astype(np.uint8)).save("restored.png")
```"""


class Form(NamedTuple):
    """A row in the form of one kind of file."""
    write: Callable[[], None]
    said: str  # for the console
    use: list[str]  # lines of Markdown: how to use such a file
    limits: list[str] = []  # what is to be said of such a file besides


def export_row(row: str, to: str, output: Path, models: Path = Path("models"), licence: str = "unknown") -> str:
    """Write a row of params.yaml, or a network below `models`, to `output`, and its card to what `card_of` says. `to` is onnx,
    safetensors, hub or a project of nets/layouts; `licence` is for hub. Returns a line that says what was written. Raises
    ValueError, OSError or AbsentNetwork, and leaves no file, when that cannot be."""
    lineage, network = with_images(graph(load())), network_of(row, models)
    tree = tree_of(network, models)
    chain = leaves(tree)
    manifests = {name: read_manifest(models / name) for name in chain}
    if unfit := [name for name in chain if manifests[name]["arch"] == "zssr"]:
        raise ValueError(f"{unfit[0]} is ZSSR, which learns a network from each photo anew: there is none to export")
    scale, head = read_manifest(models / network)["scale"], {}
    if to == "onnx":
        form = _onnx(row, tree, output, models, manifests)
    elif to == "hub":
        form = _hub(row, tree, output, models, scale, bool(truth_behind(lineage, chain, manifests)))
        head = hub.head(lineage, network, licence)
    elif to == "safetensors":
        form = _safetensors(row, tree, output, models, bool(truth_behind(lineage, chain, manifests)))
    else:
        form = _layout(to, chain, output, models, manifests)
    for name in lineage.ancestors([name for name in chain if name in lineage.nodes]):
        try:
            manifests[name] = read_manifest(models / name)
        except (FileNotFoundError, AbsentNetwork):
            continue  # the card says so
    about = Export(row, network, scale, tree, to, output.name, form.use, form.limits, _revision(), head)
    text = card(lineage, about, manifests)
    form.write()
    write(card_of(output, to), text)
    return form.said


def card_of(output: Path, to: str) -> Path:
    """Where the model card of an export stands."""
    return output / "README.md" if to == "hub" else output.with_name(f"{output.name}.md")


def _onnx(row: str, tree: str | dict, output: Path, models: Path, manifests: dict[str, dict]) -> Form:
    _check_ending(output, ".onnx")
    model = named(row, models=models)
    weights = {f"weights of {name}": manifests[name]["weights"] for name in dict.fromkeys(leaves(tree))}
    graph = graph_of(model, {"row": row, "networks": in_words(tree), "scale": str(model.scale), **weights})
    largest = onnx_difference(graph, model)
    sizes = ", ".join(f"{height} x {width}" for _, height, width in PROBES)
    enlarged = f", {model.scale} times as high and wide" if model.scale > 1 else ""
    inside = f"all networks, {in_words(tree)}, unrounded between; " if len(leaves(tree)) > 1 else ""
    tiles = f"Tiles that are read with a margin of {model.margin} pixels on each side give what the whole image gives."
    if model.sees_all:
        tiles = f"It sees a whole image at once ({', '.join(model.sees_all)}): in tiles it comes out a little different."
    use = [f"`{output.name}` is an ONNX graph, opset {OPSET}.",
           "Input `image`: float32, (batch, 3, height, width), RGB, 0 to 1, as the pixels of a file are coded (sRGB, not "
           "linear); any batch, height and width.",
           f"Output `restored`: the same{enlarged}. Values can leave 0 to 1 a little: clip, then round.",
           f"In the graph: {inside}padding to the sizes that a network asks for. Not in it: clipping, rounding, tiles, alpha, "
           "colour profiles.",
           tiles,
           f"Checked when it was exported: {versions()} on a CPU, images of {sizes} pixels, differ by {largest:.1e} of full "
           f"scale at most; allowed are {TOLERANCE:g}."]
    said = (f"{output}: {in_words(tree)} as one graph, opset {OPSET}, any batch, height and width; {versions()} differ by "
            f"{largest:.1e} at most on {sizes} pixels (allowed {TOLERANCE:g})")
    return Form(partial(write, output, graph), said, [*items(use), *SNIPPET.replace("FILE", output.name).splitlines()], [
        "The graph was tried with onnxruntime on a CPU. Other runtimes, GPUs and 16-bit floats were not.",
        "An image goes through as a whole, so memory grows with it."])


def _safetensors(row: str, tree: str | dict, output: Path, models: Path, saw_truth: bool) -> Form:
    _check_ending(output, ".safetensors")
    use = items(["For Restage itself, in any folder: neither its data nor models/ are needed.",
                  "Photos may have any size. Large ones are restored in tiles: docs/restore.md.",
                  "The header of the file holds architectures, options and hashes, as JSON below the key `restage`."])
    said = f"{output}: {in_words(tree)}, for `restore --model {output}`"
    return Form(partial(write_row, output, row, tree, models, saw_truth), said, [
        f"    python -m pipeline restore photo.jpg -o restored.png --model {output.name}", "", *use])


def _hub(row: str, tree: str | dict, output: Path, models: Path, scale: int, saw_truth: bool) -> Form:
    if output.is_file():
        raise ValueError(f"{output}: is a file, wanted a folder")
    said = f"{output}: {in_words(tree)}, for `restore --model {output}` and as a repository of the Hugging Face hub"
    return Form(partial(hub.write_repository, output, row, tree, models, scale, saw_truth), said, [
        f"    python -m pipeline restore photo.jpg -o restored.png --model {output.name}", "", *items([
            "For Restage itself, in any folder: give it a clone of this repository by `--model`.",
            "`config.json` says the same as the header of `model.safetensors`: architectures, options and hashes."])])


def _layout(to: str, chain: list[str], output: Path, models: Path, manifests: dict[str, dict]) -> Form:
    if len(chain) > 1:
        raise ValueError(f"it is {len(chain)} networks ({', '.join(chain)}), and files of {to} hold one: export each of them, "
                         "or the row --to onnx or safetensors")
    arch, options = (manifests[chain[0]][key] for key in ("arch", "options"))
    weights = exported(load_network(models / chain[0]), to, arch, options)
    size = ", ".join(f"{key} {value}" for key, value in options.items() if key not in ("start", "unshuffle"))
    said = f"{to}'s {arch}, {size}"
    return Form(partial(write_weights, output, weights, layout_of(to, arch).wrapper), f"{output}: {said}", items([
        f"`{output.name}` holds the weights of {said}, by the names that they have there.",
        "Its programs read the file; how they scale values, clip and round is theirs."]))


def _check_ending(output: Path, ending: str) -> None:
    if output.suffix != ending:
        raise ValueError(f"{output}: wanted a file that ends in {ending}")


def _revision() -> str:
    """The commit of the project, with -dirty where there is more; empty when git does not know it."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""
