"""Names in params.yaml that point at other entries: each has to be there, and no network may be made of itself."""
from graphlib import CycleError, TopologicalSorter


def check_references(params) -> None:
    """Raise ValueError, which names the key and what is there, for the first name in Params that points at nothing."""
    for section, fields in _allowed(params).items():
        for key, entry in getattr(params, section).items():
            for field, names in fields.items():
                if (value := getattr(entry, field)) not in names:
                    there = ", ".join(sorted(names))
                    raise ValueError(f"{section}.{key}.{field}: {value!r} names nothing; there are {there}")
    _check_that_names_differ(params)
    _check_fits(params)
    _check_recipes(params)
    for key, entry in params.networks.items():
        _check_cuts(params, f"networks.{key}", entry.inputs, entry.targets)
    for key, entry in params.rbsr.items():
        for side in (entry.inputs, entry.synthetic):
            _check_cuts(params, f"rbsr.{key}", side, entry.targets)
    for key, system in params.systems.items():
        if system.task not in params.tests:
            raise ValueError(f"systems.{key}.task: {system.task!r} has no entry in tests")
    for key, row in params.rows.items():
        if row.network in params.zssr and row.tests != (tests := params.zssr[row.network].tests):
            raise ValueError(f"rows.{key}.tests: {row.tests!r}, but zssr.{row.network} enlarges the images of tests.{tests} "
                             f"alone: wanted tests: {tests}")
    _check_that_nothing_is_made_of_itself(params)


def _allowed(params) -> dict[str, dict[str, set[str]]]:
    """Section -> field -> where the name must be."""
    sets = set(params.sets)
    truths = sets | {f"{name}/truth" for name in sets}
    networks, stage1 = params.network_names(), set(params.networks) | set(params.imports)
    inputs = {f"sets/{name}" for name in truths} | {f"labels/{name}" for name in [*params.labels, *params.systems]}
    inputs |= {f"pairs/{name}/{side}" for name in params.pairs for side in ("inputs", "targets")}
    starts = params.trained() | set(params.imports)
    return {
        "calibrations": {"captures": sets, "clean": sets},
        "fits": {"recipe": set(params.recipes), "captures": sets, "clean": sets},
        "pairs": {"clean": sets, "recipe": set(params.recipes),
                  "calibration": set(params.calibrations) | set(params.fits) | {"none"}},
        "networks": {"inputs": inputs, "targets": inputs},
        "systems": {"task": set(params.tasks), "start": stage1, "teacher": networks - set(params.oracles),
                    "pairs": set(params.pairs), "captures": sets, "clean": sets},
        "oracles": {"start": stage1, "captures": sets, "truth": truths},
        "adabn": {"start": starts, "captures": sets},
        "unsharpens": {"calibration": set(params.calibrations)},
        "labels": {"network": networks, "inputs": inputs},
        "finetunes": {"start": starts, "inputs": inputs, "targets": inputs, "clean": sets | {"none"}},
        "cyclegans": {"captures": sets, "clean": sets},
        "rbsr": {"inputs": inputs, "synthetic": inputs, "targets": inputs, "encoder": set(params.networks)},
        "srgan": {"start": starts, "inputs": inputs, "targets": inputs, "clean": sets | {"none"}},
        "zssr": {"tests": set(params.tests)},
        "chains": {"first": networks, "then": networks},
        "ensembles": {"first": networks, "second": networks},
        "tests": {"synthetic": set(params.pairs) | {"none"}, "captures": sets | {"none"}, "truth": truths | {"none"},
                  "reference": sets | {"none"}},
        "far": {"captures": sets, "truth": truths | {"none"}},
        "rows": {"task": set(params.tasks), "tests": set(params.tests), "network": networks | set(params.zssr) | {"none"}},
    }


def _check_that_names_differ(params) -> None:
    """Each network has a folder of its own below models/."""
    found: dict[str, str] = {}
    sections = ("networks", "imports", "oracles", "adabn", "unsharpens", "finetunes", "cyclegans", "rbsr", "srgan", "zssr",
                "chains", "ensembles")
    names = [(section, key, key) for section in sections for key in getattr(params, section)]
    names += [("systems", key, f"{key}-{kind}") for key in params.systems for kind in ("stage2", "gan")]
    for section, key, name in names:
        if other := found.get(name):
            raise ValueError(f"{section}.{key}: {other} makes a network of the name {name}; choose another")
        found[name] = f"{section}.{key}"
    for key in params.far:
        if key not in params.tests:
            raise ValueError(f"far.{key}: has the name of no entry of tests; there are {', '.join(params.tests)}")
    for key in params.labels.keys() & params.systems.keys():
        raise ValueError(f"labels.{key}: the surrogates of systems.{key} have this name; choose another")


def _check_fits(params) -> None:
    for key, fit in params.fits.items():
        if key in params.calibrations:
            raise ValueError(f"fits.{key}: an entry of calibrations has this name, and data/calibrations/{key}; choose another")
        recipe = params.recipes[fit.recipe]
        if recipe.kind != "random":
            raise ValueError(f"fits.{key}.recipe: {fit.recipe!r} is {recipe.kind}, wanted a recipe of kind random")
        for place, name in enumerate(fit.parameters):
            if name not in recipe.ranges:
                raise ValueError(f"fits.{key}.parameters.{place}: {name!r} is no range of recipes.{fit.recipe} that could be "
                                 f"narrowed; there are {', '.join(recipe.ranges)}")


def _check_recipes(params) -> None:
    for key, entry in params.pairs.items():
        recipe = params.recipes[entry.recipe]
        what = f"but the recipe {entry.recipe!r} is {recipe.kind}"
        if fit := params.fits.get(entry.calibration):
            if (fit.recipe, fit.scale) != (entry.recipe, entry.scale):
                raise ValueError(f"pairs.{key}: recipe {entry.recipe!r} at scale {entry.scale}, but fits.{entry.calibration} "
                                 f"is of recipe {fit.recipe!r} at scale {fit.scale}")
        elif recipe.calibrated != (entry.calibration != "none"):
            raise ValueError(f"pairs.{key}.calibration: {entry.calibration!r}, {what}: calibrated and sharpened recipes, and "
                             "those with factors: estimated, name an entry of calibrations, others none; recipes of kind "
                             "random may name an entry of fits")
        same_size = recipe.kind in ("moire", "blur", "sharpened") or recipe.kind == "updown" and recipe.calibrated
        if same_size and entry.scale != 1:
            raise ValueError(f"pairs.{key}.scale: {entry.scale}, {what}: allowed is 1")


def _check_cuts(params, where: str, inputs: str, targets: str) -> None:
    """Inputs of one entry of pairs and targets of another: crops are drawn for each entry anew, so they are to be uncut."""
    keys = [path.split("/")[1] for path in (inputs, targets) if path.startswith("pairs/")]
    entries = [params.pairs[key] for key in dict.fromkeys(keys)]
    if len(entries) == 2 and (entries[0].clean != entries[1].clean or any(
            entry.patches or params.recipes[entry.recipe].kind == "moire" for entry in entries)):
        raise ValueError(f"{where}: {inputs} and {targets} do not show the same: both entries of pairs need one clean set, "
                         "patches: 0 and a recipe that leaves images in place, other than moire")


def _check_that_nothing_is_made_of_itself(params) -> None:
    """DVC would say so too, but by its stages."""
    graph = {name: {entry.first, entry.then} for name, entry in params.chains.items()}
    graph |= {name: {entry.first, entry.second} for name, entry in params.ensembles.items()}
    graph |= {f"labels/{name}": {entry.network, entry.inputs} for name, entry in params.labels.items()}
    for section in ("networks", "oracles", "adabn", "finetunes", "srgan", "rbsr"):
        graph |= {name: {getattr(entry, field, "") for field in ("start", "inputs", "synthetic", "targets", "encoder")}
                  for name, entry in getattr(params, section).items()}
    for name, system in params.systems.items():
        graph |= {f"labels/{name}": {system.teacher}, f"{name}-gan": {system.start},
                  f"{name}-stage2": {system.start, f"labels/{name}"}}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise ValueError(f"these are made of each other: {' -> '.join(reversed(error.args[1]))}") from None
