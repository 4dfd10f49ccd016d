"""The params and scores of revisions: commits, DVC experiments, or the workspace; one per seed."""
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.compare.scores import read_table
from pipeline.core.graph import graph
from pipeline.core.params import PARAMS_FILE, Params, ParamsError, parse
from pipeline.core.presets import difference
from pipeline.core.reading import parse_yaml

WORKSPACE = "workspace"
KEYS = ["row", "test_set", "image", "scene"]  # the other columns of metrics/images are metrics

Images = pd.DataFrame
"""A line for each row, test set, image and scene, its index; a column for each metric, NaN where there is no score."""


class RevisionError(ValueError):
    """A revision cannot be read, or does not go with the others."""


@dataclass(frozen=True)
class Revision:
    name: str
    params: Params
    scores: dict[str, dict[str, dict[str, dict[str, float]]]]  # task -> row -> test set -> metric -> score of the whole set
    images: dict[str, Images]  # entry of systems or rows -> scores of each image


def read_revisions(names: list[str], tasks: list[str] | None = None) -> list[Revision]:
    """The revisions in the order of their seeds, with the scores of `tasks` or of all.

    Raises RevisionError unless all can be read, agree in every param but the seed, and scored the same images.
    """
    revisions = [_read(name, tasks) for name in names]
    _check_params(revisions)
    _check_images(revisions)
    return sorted(revisions, key=lambda revision: revision.params.seed)


def _read(name: str, tasks: list[str] | None) -> Revision:
    from dvc.exceptions import DvcException

    text = _reader(name)
    path = PARAMS_FILE
    try:
        params = parse(parse_yaml(text(path), path), str(path))
        if unknown := [task for task in tasks or () if task not in params.tasks]:
            raise RevisionError(f"--task {unknown[0]}: no such name, there are {', '.join(params.tasks)}")
        scores, images = {}, {}
        for task in tasks or params.tasks:
            path = Path(f"metrics/{task}.json")
            scores[task] = json.loads(text(path))
            for key in graph(params).entries(task):
                path = Path(f"metrics/images/{key}.csv")
                images[key] = parse_images(text(path))
    except RevisionError:
        raise
    except FileNotFoundError:
        hint = "`dvc repro` makes it" if name == WORKSPACE else "was it committed?"
        raise RevisionError(f"{name}: {path} is not there; {hint}") from None
    except ParamsError as error:
        raise RevisionError(f"{name}: {error}") from None
    except (DvcException, OSError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise RevisionError(f"{name}: {path} cannot be read: {reason}") from None
    return Revision(name, params, scores, images)


def _reader(name: str) -> Callable[[Path], str]:
    """A function from the path of a file to its text in this revision."""
    if name == WORKSPACE:
        return lambda path: path.read_text(encoding="utf-8")
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    files = DVCFileSystem(rev=name)
    try:
        files.repo  # noqa: B018  opens it, and so finds out
    except DvcException as error:
        raise RevisionError(f"{name}: {error}; `dvc exp list` names the experiments, `git log` the commits") from None
    return lambda path: files.read_text(path.as_posix(), encoding="utf-8")


def parse_images(text: str) -> Images:
    """The content of a file of metrics/images."""
    table = read_table(io.StringIO(text), KEYS).set_index(KEYS).astype(float)
    return table.where(np.isfinite(table))


def joined(images: list[Images]) -> Images:
    """The lines of several files; of two for the same image, the last."""
    table = pd.concat(images)
    return table[~table.index.duplicated(keep="last")]


def _check_params(revisions: list[Revision]) -> None:
    first, seeds = revisions[0], {}
    for revision in revisions:
        seed = revision.params.seed
        if seed in seeds:
            raise RevisionError(f"{seeds[seed]} and {revision.name} have the same seed, {seed}; another says nothing new")
        seeds[seed] = revision.name
        before, after = (item.params.model_dump(exclude={"seed"}, by_alias=True) for item in (first, revision))
        if changes := difference(before, after):
            more = f"; and {len(changes) - 1} more" if len(changes) > 1 else ""
            raise RevisionError(f"{first.name} and {revision.name} differ in more than the seed: {changes[0]}{more}")


def _check_images(revisions: list[Revision]) -> None:
    first = revisions[0]
    for revision in revisions[1:]:
        for key, images in revision.images.items():
            different = images.index.symmetric_difference(first.images[key].index)
            if len(different):
                row, test_set, image, scene = different[0]
                raise RevisionError(f"{first.name} and {revision.name} have not scored the same images: {row}, {test_set}, "
                                    f"{image!r} of scene {scene!r} is in one of them only")
        if all(images.equals(first.images[key]) for key, images in revision.images.items()):
            raise RevisionError(f"{first.name} and {revision.name} have the same scores in every image; was a seed changed "
                                "without `dvc repro`?")
