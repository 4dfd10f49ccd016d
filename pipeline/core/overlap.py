"""Whether two sets of params.yaml can hold a file in common, told from their folders and patterns alone."""
import re
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pipeline.core.sources import TRUTH, Set

NONE = "data/none"
OTHER = "\0"  # stands for any character that no pattern spells out


def resolved(folder: str) -> Path:
    return Path(folder).resolve()


def common_file(trained: Set, truth: Set, resolved: Callable[[str], Path] = resolved) -> str:
    """The path, without its ending, of a file that trainings on one set can see and that is truth in the other; empty when
    there is none. It need not exist: no folder is read. `resolved` gives a folder without links.

    Trainings see the splits train and val. The holdout of truth is of captures that nothing is trained, chosen or scored on, so
    it may be clean material. A split that is a share and no pattern tells nothing of a file, so such files count.
    """
    if NONE in (trained.folder, truth.folder):
        return ""
    ours, theirs = resolved(trained.folder), resolved(truth.folder)
    base = ours if theirs.is_relative_to(ours) else theirs
    if not ours.is_relative_to(base):
        return ""
    wanted = [(trained.include, ours), (truth.include, theirs)]
    splits = [(trained.test, ours), (trained.holdout, ours), (truth.holdout, theirs)]
    splits += [(f"{TRUTH}/**", folder) for each, folder in ((trained, ours), (truth, theirs)) if not each.takes_truth]
    return _matched_by_all(*(tuple((claim, folder.relative_to(base).as_posix()) for claim, folder in claims
                                   if isinstance(claim, str)) for claims in (wanted, splits)))


def _alternatives(pattern: str, below: str) -> list[list[str]]:
    """A pattern of images/splits.py as lists of characters, `*` and `**`: each `**/` is there or not."""
    prefix = "" if below == "." else f"{below}/".replace("*", OTHER)
    found = [[*prefix]]
    for part in re.split(r"(\*\*/|\*\*|\*)", pattern):
        if part == "**/":
            found += [[*each, "**", "/"] for each in found]
        else:
            found = [[*each, *([part] if part in ("*", "**") else part)] for each in found]
    return found


@cache
def _matched_by_all(wanted: tuple[tuple[str, str], ...], left_out: tuple[tuple[str, str], ...]) -> str:
    """The shortest text that each of `wanted` matches and none of `left_out`, both patterns and the folders that they are of:
    all are run side by side over every text."""
    patterns = [_alternatives(*each) for each in (*wanted, *left_out)]
    letters = sorted({token for each in patterns for way in each for token in way} - {"*", "**"} | {"/", OTHER})
    first = tuple(_closed(each, {(way, 0) for way in range(len(each))}) for each in patterns)
    seen, waiting = set(), deque([(first, "")])
    while waiting:
        states, text = waiting.popleft()
        ends = [any(place == len(each[way]) for way, place in state) for each, state in zip(patterns, states)]
        if text[-1:] not in ("", "/") and all(ends[: len(wanted)]) and not any(ends[len(wanted) :]):
            return text.replace(OTHER, "x")
        for letter in letters:
            after = tuple(_closed(each, _stepped(each, state, letter)) for each, state in zip(patterns, states))
            if all(after[: len(wanted)]) and (after, letter == "/") not in seen:  # no file's path ends there
                seen.add((after, letter == "/"))
                waiting.append((after, text + letter))
    return ""


def _stepped(ways: list[list[str]], state: frozenset, letter: str) -> set[tuple[int, int]]:
    """The places in a pattern after one more letter."""
    after = set()
    for way, place in state:
        token = ways[way][place] if place < len(ways[way]) else ""
        if token == "**" or token == "*" and letter != "/":
            after.add((way, place))
        elif token == letter:
            after.add((way, place + 1))
    return after


def _closed(ways: list[list[str]], state: set[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    """With the places that stars which match nothing lead to."""
    state = set(state)
    for way, place in [*state]:
        while place < len(ways[way]) and ways[way][place] in ("*", "**"):
            place += 1
            state.add((way, place))
    return frozenset(state)
