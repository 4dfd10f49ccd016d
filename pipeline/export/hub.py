"""A row as what a model repository of the Hugging Face hub holds: config.json, model.safetensors, and its card as README.md.

model.safetensors is what `export --to safetensors` writes, so `restore --model FOLDER` needs nothing else. config.json says the
same as its header, for who does not open weights. The head of the card has keys that the hub knows
(https://huggingface.co/docs/hub/model-cards).
"""
import json
from pathlib import Path

from safetensors import safe_open

from pipeline.compare.scores import read_csv
from pipeline.core.files import read_json, write_json
from pipeline.core.graph import Graph
from pipeline.export.card import TABLES
from pipeline.restore.located import HUB_WEIGHTS
from pipeline.restore.named import KEY, write_row


def head(graph: Graph, network: str, licence: str) -> dict:
    """Keys of the YAML head that only a repository has. `metrics` are those of the network's scores in the tables."""
    metrics = {}
    for place in graph.rows():
        table = TABLES / f"{place.task}.csv"
        if place.network == network and table.is_file() and (scores := read_csv(table).get(place.tests)):
            metrics |= {metric: None for values in scores.rows.get(place.name, {}).values() for metric in values}
    return {"license": licence, "library_name": "restage"} | ({"metrics": sorted(metrics)} if metrics else {})


def write_repository(folder: Path, row: str, tree: str | dict, models: Path, scale: int, saw_truth: bool) -> None:
    """Write config.json and model.safetensors. Raises ValueError when the folder holds the config.json of something else."""
    config = folder / "config.json"
    if config.is_file() and KEY not in read_json(config):
        raise ValueError(f"{config} is of another model; name another folder")
    write_row(folder / HUB_WEIGHTS, row, tree, models, saw_truth)
    with safe_open(folder / HUB_WEIGHTS, framework="pt") as weights:
        about = json.loads(weights.metadata()[KEY])
    write_json(config, {"architectures": sorted({manifest["arch"] for manifest in about["networks"].values()}),
                        "library_name": "restage", "scale": scale, KEY: about})
