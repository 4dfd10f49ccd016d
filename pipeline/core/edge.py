"""Where a stage meets its user: a mistake of his ends in one line, not in a traceback."""
import sys
from collections.abc import Callable


def run_stage(main: Callable) -> None:
    """Call `main` with the command line's arguments; what is wrong with params, data or the disk becomes the exit message."""
    stage = sys.modules["__main__"].__spec__.name.rsplit(".", 1)[-1]
    what = " ".join([stage, *sys.argv[1:]])
    try:
        main(*sys.argv[1:])
    except (ValueError, OSError) as error:
        raise SystemExit(f"{what}: {error}") from error
