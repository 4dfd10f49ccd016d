"""Whether the reference of NIQE, SWD and critic shows the same kind of images as the captures."""
from pipeline.core.params import Params


def of_another_kind(params: Params, tests: str) -> str:
    """What is wrong with the reference of an entry of `tests`, in a sentence or two; empty where nothing is known to be.

    An entry of calibrations says which clean images are of its captures' kind.
    """
    entry, sets = params.tests[tests], params.sets
    if "none" in (entry.captures, entry.reference):
        return ""
    for key, camera in params.calibrations.items():
        same = sets[camera.captures].folder == sets[entry.captures].folder
        if same and sets[camera.clean].folder != sets[entry.reference].folder:
            return (f"NIQE, SWD and critic AUC compare with images of `sets.{entry.reference}`. The captures are of another "
                    f"kind: `calibrations.{key}` says that theirs are those of `sets.{camera.clean}`. Against another kind "
                    "even the truth can rank behind a network. Where there are enough images of the captures' kind, keep "
                    f"some of them (`holdout`) and name their set in `tests.{tests}.reference`.")
    return ""
