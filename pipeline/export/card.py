"""The model card of an exported row, in Markdown as the Hugging Face hub reads it: what the row is, how to use the file, how
well it does, what made it, and where it ends.
"""
import json
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import yaml

from pipeline.compare.kinds import input_of, made_by
from pipeline.compare.scores import Scores, read_csv
from pipeline.compare.text import count, heading, item, pipes
from pipeline.core.files import read_json
from pipeline.core.graph import Graph, TableRow
from pipeline.core.nodes import Node
from pipeline.core.params import Params
from pipeline.core.presets import difference
from pipeline.report.tables import NOT_COMPUTED, cells, not_computed
from pipeline.restore.manifest import in_words, leaves
from pipeline.score.names import TEST_SETS

TABLES, BENCH = Path("metrics/tables"), Path("data/bench")
FIELDS = {"inputs": "inputs", "synthetic": "further inputs", "targets": "targets", "clean": "clean images of the adversary"}
"""Fields of a node -> what they are."""
HASH = "[0-9a-f]{64}"
UNNAMED = ("start", "shapes", "values")  # options that do not shape a trained network, or would fill a page


@dataclass(frozen=True)
class Export:
    row: str
    network: str
    scale: int
    tree: str | dict  # what it is made of, as in restore/manifest.py
    to: str
    file: str  # its name, without a folder
    use: list[str]  # lines of Markdown: how to use such a file
    limits: list[str]  # what is to be said of such a file besides
    revision: str  # the commit, with -dirty behind it when there was more; empty when not known
    head: dict = field(default_factory=dict)  # what the YAML head says besides


def card(graph: Graph, export: Export, manifests: dict[str, dict]) -> str:
    """`manifests`: those of the chain, and of what it goes back to as far as they are there, by network."""
    params, chain = graph.params, leaves(export.tree)
    known = [name for name in chain if name in graph.nodes]
    lineage = {name: graph.nodes[name] for name in graph.ancestors(known)}
    where = [place for place in graph.rows() if place.network == export.network]
    tasks = list(dict.fromkeys(place.task for place in where))
    archs = dict.fromkeys(manifests[name]["arch"] for name in chain)
    front = export.head | {"pipeline_tag": "image-to-image", "tags": ["image-restoration", "restage", export.to, *archs]}
    revision = export.revision.removesuffix("-dirty")
    sections = {
        "Use": export.use,
        "Scores": _scores(graph, chain, where, manifests),
        "What made it": _lineage(graph, [name for name in chain if name not in known], lineage, manifests),
        "Data": _data(params, lineage),
        "Limits": items(_limits(params, lineage, truth_behind(graph, chain, manifests)) + export.limits),
        "Reproduce": [
            *([f"    git checkout {revision}"] if revision else []),
            "    " + " ".join(["dvc repro", *(f"evaluate@{task}" for task in tasks)]),
            f"    python -m pipeline export {export.row} --to {export.to} -o {export.file}",
            *(["", "There were changes that this commit does not have."] if revision != export.revision else [])]}
    lines = ["---", yaml.safe_dump(front, sort_keys=False).strip(), "---", "", f"# {export.row}", "",
             f"{'; '.join(params.tasks[task].title for task in tasks) or 'Image restoration'}: an RGB image becomes one "
             + (f"{export.scale} times as high and wide." if export.scale > 1 else "of the same size."), "",
             *_parts(export.tree, manifests)]
    for title, body in sections.items():
        lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


def _parts(tree: str | dict, manifests: dict[str, dict]) -> list[str]:
    """The networks with weights of their own: steps of a chain of them, otherwise a list below what is made of them."""
    names, words = leaves(tree), in_words(tree)
    if words == " -> ".join(names):
        return [f"{step}. `{name}`: {_size(manifests[name])}" for step, name in enumerate(names, 1)]
    return [f"It is made of several networks: {words}.", "",
            *items([f"`{name}`: {_size(manifests[name])}" for name in dict.fromkeys(names)])]


def _size(manifest: dict) -> str:
    options = ", ".join(f"{key} {value}" for key, value in sorted(manifest["options"].items()) if key not in UNNAMED)
    return f"{manifest['arch']} ({options}), {manifest['parameters']:,} weights"


def _scores(graph: Graph, chain: list[str], where: list[TableRow], manifests: dict[str, dict]) -> list[str]:
    """Lines of Markdown: tables of the test sets that no choice was made on, or why there are none."""
    if not where:
        return ["No row of params.yaml scores it."]
    lines, params = [], graph.params
    for place in where:
        table, bench = TABLES / f"{place.task}.csv", BENCH / place.task / f"{place.key}.json"
        cure = f"`dvc repro evaluate@{place.task}` makes them"
        group = read_csv(table).get(place.tests, Scores()) if table.is_file() else Scores()
        if place.name not in group.rows:
            lines += [f"There are no scores of {place.name} in {table}; {cure}.", ""]
            continue
        made = read_json(bench) if bench.is_file() else {"manifests": {}, "absent": []}
        scored = made["manifests"]
        if any(name in scored and scored[name]["weights"] != manifests[name]["weights"] for name in chain):
            lines += [f"The scores of {place.name} in {table} are of other weights than these; {cure} anew.", ""]
            continue
        for test_set in TEST_SETS:
            if test_set in group.rows[place.name] and not test_set.endswith("-val"):
                title = params.tasks[place.task].title
                lines += [f"{title}, {place.tests}: {test_set} ({count(group.counts[test_set])})", "",
                          *_table(graph, place, group, test_set), ""]
        lines += item(f"Outputs are rounded to 8 bits; {params.bench.border} pixels are cut from each side before PSNR and "
                      "SSIM. The first row is the degraded image itself, enlarged by bicubic if the network enlarges. "
                      f"{table.with_suffix('.md')} says how the metrics are computed, and has the scores of controls.")
        if not scored:
            lines += item(f"{bench} is not there, so whether these are scores of the very weights in the file is not known.")
        if missing := [gap for gap in made["absent"] if gap["row"] == place.name and not gap["test_set"].endswith("-val")]:
            lines += ["", NOT_COMPUTED, "", *not_computed({"": Scores(absent=missing)})]
        lines.append("")
    return lines[:-1]


def _table(graph: Graph, place: TableRow, group: Scores, test_set: str) -> list[str]:
    """The row's scores below those of its input."""
    own = input_of(graph, place.task, place.tests, group, test_set)
    both = Scores({row: group.rows[row] for row in (own, place.name) if row})
    texts, _ = cells(both, test_set)
    return pipes("row", texts.rename(columns=heading))


def _lineage(graph: Graph, unknown: list[str], lineage: dict[str, Node], manifests: dict[str, dict]) -> list[str]:
    """An item for each network, those of the chain first; `unknown` are those that params.yaml does not make."""
    said = []
    for name in unknown:
        said.append(f"`{name}`: params.yaml has no entry that makes it. {_made(manifests[name])}")
    for name, entry in lineage.items():
        manifest = manifests.get(name, {})
        facts = [made_by(graph, entry) + (f", from `{entry.start}`" if entry.start else "")]
        facts += ["of " + " and ".join(f"`{part}`" for part in entry.parts)] if entry.parts else []
        facts += [f"{what} `{value}`" for field, what in FIELDS.items() if (value := getattr(entry, field))]
        said.append(f"`{name}`: {'; '.join(facts)}. {_made(manifest)}")
        trained, now = manifest.get("made", {}).get("settings", {}), _plain(entry.facts)
        shared = [key for key in trained if key in now]
        if changes := difference({key: trained[key] for key in shared}, {key: now[key] for key in shared}):
            said[-1] += f" params.yaml has other settings by now: {'; '.join(changes)}."
    return items(said)


def _made(manifest: dict) -> str:
    """What a manifest says of how its network was made."""
    if not manifest:
        return "It is not in models/, so its settings and hashes are not known here."
    made, said = manifest["made"], ""
    if "settings" in made:
        said = f"Settings: {_inline(made['settings'])}; seed {made['seed']}, {made['threads']} threads. "
    hashes = {"weights": manifest["weights"], "code": manifest.get("code"), **made}  # a chain's code is that of its parts
    listed = [f"{what.replace('_', ' ')} `{value}`" for what, value in hashes.items() if re.fullmatch(HASH, str(value))]
    return f"{said}SHA-256: {', '.join(listed).replace('sha256 `', 'file `')}."


def _data(params: Params, lineage: dict[str, Node]) -> list[str]:
    """The sets and pairs of a lineage, and the recipes of these."""
    said = []
    for key in _trained_on(lineage, "pairs"):
        entry = params.pairs[key]
        said.append(f"`pairs/{key}`: `sets/{entry.clean}` degraded by the recipe `{entry.recipe}`, scale {entry.scale}: "
                    f"{_inline(params.recipes[entry.recipe].model_dump(mode='json'))}.")
    for key in _sets(params, lineage):
        folder = PurePath(params.sets[key].folder)  # an absolute path would tell of this machine
        said.append(f"`sets/{key}`: the folder `{folder.name if folder.is_absolute() else folder}`.")
    now = ["These are the settings of params.yaml when this card was written. The hashes above identify the images.", ""]
    return now + items(said) if said else ["What it was trained on is not known here."]


def _limits(params: Params, lineage: dict[str, Node], truth: str) -> list[str]:
    said = ["It has learnt from the images that the section Data names. Photos that were degraded in other ways may come out "
            "no better than they went in, or worse."]
    if any(params.sets[key].folder.startswith("data/builtin") for key in _sets(params, lineage)):
        said.append("The built-in images are rendered scenes and a few photographs, seen by a simulated camera. They are there "
                    "to try the pipeline. A network that was trained on them is a demonstration.")
    if any(made.clean for made in lineage.values()):
        said.append("An adversary took part in its training, so fine detail may be invented.")
    if truth:
        said.append("It is an oracle, to measure others by: it was trained with the truth of captures, which real captures do "
                    f"not have. Truth reached it by {truth}.")
    if any(name in params.imports for name in lineage):
        said.append("It is the work of others, or was trained from it. Their terms of use and their licence hold.")
    return said


def truth_behind(graph: Graph, chain: list[str], manifests: dict[str, dict]) -> str:
    """How truth reached a network of a chain, in words; of those that params.yaml does not make, by their manifests."""
    found = [graph.truth(name) if name in graph.nodes else
             f"{name}: its manifest" if manifests[name]["made"].get("saw_truth") else "" for name in chain]
    return next(filter(None, found), "")


def _trained_on(lineage: dict[str, Node], section: str) -> list[str]:
    """The entries of sets or pairs that a lineage names."""
    paths = [path.split("/") for node in lineage.values() for path in node.data]
    return list(dict.fromkeys(key for start, key, *_ in paths if start == section))


def _sets(params: Params, lineage: dict[str, Node]) -> list[str]:
    """Those named, and those that named pairs were made of."""
    clean = [params.pairs[key].clean for key in _trained_on(lineage, "pairs")]
    return list(dict.fromkeys([*_trained_on(lineage, "sets"), *clean]))


def items(texts: list[str]) -> list[str]:
    """The lines of a Markdown list."""
    return [line for text in texts for line in item(text)]


def _inline(values: dict) -> str:
    return f"`{json.dumps(_plain(values), sort_keys=True)[1:-1]}`"


def _plain(value):
    """As it comes back from JSON: no tuples."""
    return json.loads(json.dumps(value))
