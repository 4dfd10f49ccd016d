"""Look at somebody's folders of photos before a project is made for them: by names and headers, without decoding."""
from pathlib import Path

from pipeline.cli.init_plan import TASKS, Photos, Plan, Start, from_start
from pipeline.core.sources import Ingest, Set
from pipeline.images.decode import IMAGE_SUFFIXES, BadImage, read_size
from pipeline.images.find import TRUTH, find_images, has_truth
from pipeline.images.look_alike import look_alike
from pipeline.images.splits import name_images, scene_of
from pipeline.restore.starters import starters

FEWEST = {"captures": 4, "clean": 6}  # scenes: the splits need one or two each


def plan_project(task: str, captures: Path, clean: Path, truth: Path | None, start: str | None = None) -> Plan:
    """What is chosen for these folders, and for the network `start`. Raises ValueError for what the task cannot use, with the
    file, and what is wanted."""
    captures, clean = captures.resolve(), clean.resolve()
    truth = truth.resolve() if truth else None
    below = captures / TRUTH
    if truth == below:
        truth = None
    _apart({"--captures": captures, "--clean": clean} | ({"--truth": truth} if truth else {}))
    chosen, begun = TASKS[task], start and start_of(start, task)
    found = {"captures": survey(captures, "captures"), "clean": survey(clean, "clean")}
    for what, least in (("captures", chosen.least), ("clean", chosen.least * chosen.scale)):
        file, height, width = found[what].smallest
        if min(height, width) < least:
            raise ValueError(f"--{what}: {found[what].folder / file} is {width}x{height}; wanted for {task} are at least "
                             f"{least}x{least}")
        if found[what].scenes < FEWEST[what]:
            raise ValueError(f"--{what}: {found[what].folder} holds {len(found[what].images)} images of {found[what].scenes} "
                             f"scenes; wanted are at least {FEWEST[what]} scenes, as some are for tests")
    if truth or below.is_dir():
        _check_truth(task, found["captures"], survey(truth or below, "truth"))
    name = "photos-truth" if truth else f"photos-captures/{TRUTH}" if below.is_dir() else "none"
    return Plan(from_start(chosen) if begun else chosen, found["captures"], found["clean"], name, truth, begun)


def start_of(name: str, task: str) -> Start:
    """The network of starters/ of this name, or that of a file. Raises ValueError for one that the task cannot use."""
    from pipeline.restore.named import alone_in, saw_truth  # torch takes seconds to import

    file = Path(starters().get(name, name))
    about = alone_in(file)
    if about is None:
        raise ValueError(f"--start: got {name}; wanted a file of `export --to safetensors` with one network, or one of "
                         f"{', '.join(starters()) or 'starters/, which is empty'}")
    if about["scale"] != TASKS[task].scale:
        raise ValueError(f"--start: {name} enlarges {about['scale']} times; wanted for {task} is {TASKS[task].scale}")
    path, root = file.resolve(), Path.cwd()
    path = path.relative_to(root) if path.is_relative_to(root) else path
    return Start(file.stem, str(path), about["arch"], about["options"], saw_truth(file))


def survey(folder: Path, what: str) -> Photos:
    """The images that ingestion would take from `folder`; `what` is captures, clean or truth, for messages."""
    entry, where = Set(folder=str(folder)), f"--{what}"
    files, _, unusable = find_images(folder, where, IMAGE_SUFFIXES, TRUTH if has_truth(entry) else "")
    if unusable:
        path, reason = next(iter(unusable.items()))
        raise ValueError(f"{where}: {folder}/{path}: {reason}")
    names, sizes = name_images(files, entry.include, where), {}
    for name, path in names.items():
        try:
            sizes[name] = (path, *read_size(folder / path, Ingest().max_megapixels))
        except BadImage as error:
            raise ValueError(f"{where}: {folder / path}: {error}; repair or remove it") from None
    return Photos(folder, sizes, len({scene_of(name, entry.scene, where) for name in names}))


def _apart(folders: dict[str, Path]) -> None:
    """No image may be taken for two things, which would be learnt from and tested on alike."""
    for option, folder in folders.items():
        for other, above in folders.items():
            if option != other and (folder == above or above in folder.parents):
                raise ValueError(f"{option}: {folder} is in the folder of {other}, {above}; wanted are folders apart"
                                 + (f", or the name {above / TRUTH}" if option == "--truth" and other == "--captures" else ""))


def _check_truth(task: str, captures: Photos, truth: Photos) -> None:
    """Every capture has a truth of its name, `scale` times as large, and every truth its capture."""
    scale = TASKS[task].scale
    for ours, others, missing in ((captures, truth, "truth"), (truth, captures, "capture")):
        if alone := sorted(ours.images.keys() - others.images.keys()):
            first, like = ours.images[alone[0]][0], look_alike(alone[0], others.images)
            raise ValueError(f"--truth: {ours.folder / first} has no {missing}: wanted is an image of the name {alone[0]!r} in "
                             f"{others.folder} ({len(alone)} have none){like}")
    for name, (file, height, width) in captures.images.items():
        other, *sides = truth.images[name]
        if sorted(sides) != sorted((scale * height, scale * width)):
            raise ValueError(f"--truth: {truth.folder / other} is {sides[1]}x{sides[0]}; wanted for {task} is {scale} times "
                             f"{captures.folder / file}, which is {width}x{height}: {scale * width}x{scale * height}")
