"""Captures beside synthetic inputs: for the terminal, as Markdown, as JSON, as a picture."""
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console

from pipeline.compare.against import CHANNELS, EMPTY
from pipeline.compare.likeness import TONES, WAVELENGTHS, Likeness, Look, amplitudes, at_wavelengths, compare, in_bands
from pipeline.compare.text import note, pipes, terminal
from pipeline.core.files import replacing
from pipeline.core.params import Params
from pipeline.degrade.spectra import frequencies
from pipeline.images.shards import Shard, check_pairing

DATA = Path("data")
Rows = dict[str, dict[str, str]]  # row -> column -> text


def measure(params: Params, captures: str, pairs: str, truth: str | None) -> Likeness:
    """Compare the train images of the set `captures` with those of the entry `pairs`; `truth`: the set of clean captures.

    Raises ValueError for names that params do not have, absent or unfit images; FileNotFoundError for what is not made yet.
    """
    for name in filter(None, (captures, truth)):
        if name not in params.sets:
            raise ValueError(f"sets.{name}: no such set, there are {', '.join(params.sets)}")
    if pairs not in params.pairs:
        raise ValueError(f"pairs.{pairs}: no such entry, there are {', '.join(params.pairs)}")
    name = params.pairs[pairs].recipe
    if truth and getattr(params.recipes[name], "target_tone", "clean") == "photo":
        raise ValueError(f"recipes.{name}.target_tone: got photo, wanted clean beside --truth, as the targets of pairs.{pairs} "
                         f"do not show what became of the tone: set it to look, `dvc repro synthesize@{pairs}`, and back")
    names = f"sets.{captures}", f"pairs.{pairs}"
    ours, inputs = _train("sets", captures, "ingest"), _train("pairs", pairs, "synthesize", "inputs")
    clean = None
    if truth:
        clean = _train("sets", truth, "ingest"), _train("pairs", pairs, "synthesize", "targets")
        check_pairing(ours, clean[0], None, names[0], f"sets.{truth}")
        check_pairing(inputs, clean[1], None, f"the inputs of {names[1]}", "its targets")
    return compare(ours, inputs, clean, names, params.bench)


def _train(section: str, name: str, stage: str, side: str = "") -> Shard:
    folder, what = DATA / section / name / side / "train", f"{section}.{name}"
    if not (folder / "index.json").is_file():
        raise FileNotFoundError(f"{what}: {folder} is not made yet: `dvc repro {stage}@{name}` makes it")
    shard = Shard(folder)
    if not len(shard):
        raise ValueError(f"{what}: there are no train images: {shard.absent or 'all are in other splits'}")
    if shard.dtype != np.uint8:
        raise ValueError(f"{what}: the images are {shard.dtype}, wanted uint8")
    return shard


def numbers(look: Look, block: int) -> dict:
    """What the tables show of one side, by name; what could not be computed has no entry."""
    def spectra(read, values: np.ndarray) -> dict[str, dict[str, float]]:
        return {channel: read(line, block) for channel, line in zip(CHANNELS, values)}

    found = {
        "windows": look.windows, "images": look.images, "scenes": look.scenes,
        "amplitude": spectra(amplitudes, look.power), "white_noise": look.white,
        "jpeg_quality": {"found": sorted(filter(None, look.quality)), "of": len(look.quality)},
        "tone": {tone: _spread(look.tone[:, i]) for i, tone in enumerate(TONES)},
    }
    if look.against:
        found |= {"transfer": spectra(at_wavelengths, look.against.transfer),
                  "residual": spectra(in_bands, look.against.residual), "added": spectra(in_bands, look.against.added),
                  "shift": _spread(look.against.shift)}
        if len(look.against.gain):
            found["gain"] = _spread(look.against.gain)
    return found


def _spread(values: np.ndarray) -> dict[str, list[float]]:
    """(n, 3) -> {channel: [mean, standard deviation]}."""
    return {name: [float(column.mean()), float(column.std())] for name, column in zip("RGB", values.T)}


class LikenessReport:
    """All there is to say of a comparison."""

    def __init__(self, captures: str, pairs: str, found: Likeness):
        self.title = f"Likeness of pairs.{pairs} to sets.{captures}"
        self.found = found
        self.sides = {"captures": numbers(found.captures, found.block), "synthetic": numbers(found.synthetic, found.block)}

    def json(self) -> dict:
        return self.sides | {"window": self.found.side, "block": self.found.block, "auc": self.found.auc,
                             "notes": self.found.notes}

    def tables(self) -> Iterator[tuple[str, Rows]]:
        """Title -> rows, of what could be computed."""
        yield "Amplitude by wavelength, 8-bit levels", self._spectra("amplitude", 2)
        if self.found.captures.against:
            yield "Transfer: capture / truth beside input / target", self._spectra("transfer", 2)
            yield "Residual after a line per channel, rms in 8-bit levels", self._spectra("residual", 2)
            yield "Of the residual, what no blur explains: moire, noise, random shifts", self._spectra("added", 2)
        yield "Noise in the flattest places, and JPEG quality", {
            "white noise, levels": {side: f"{found['white_noise']:.2f}" for side, found in self.sides.items()},
            "JPEG quality": {side: _quality(**found["jpeg_quality"]) for side, found in self.sides.items()}}
        tone = {f"{tone} {channel}": {side: _mean_sd(found["tone"][tone][channel], 0) for side, found in self.sides.items()}
                for tone in TONES for channel in "RGB"}
        for name, digits in (("gain", 2), ("shift", 0)):
            tone |= {f"{name} {channel}": {side: _mean_sd(found[name][channel], digits)
                                           for side, found in self.sides.items() if name in found}
                     for channel in "RGB" if any(name in found for found in self.sides.values())}
        yield "Tone of the windows, mean ± SD in 8-bit levels", tone
        if self.found.auc:
            yield "How well a classifier tells patches apart, AUC", {
                what: {how: f"{value:.3f}" for how, value in values.items()} for what, values in self.found.auc.items()}

    def _spectra(self, what: str, digits: int) -> Rows:
        rows = {}
        for channel in CHANNELS:
            ours, theirs = (self.sides[side][what][channel] for side in ("captures", "synthetic"))
            ratio = {column: theirs[column] / ours[column] for column in ours if theirs.get(column, 0) > 0 < ours[column]}
            for name, values in (("captures", ours), ("synthetic", theirs), ("synthetic / captures", ratio)):
                rows[f"{channel}, {name}"] = {column: _text(value, digits) for column, value in values.items()}
        return rows

    def notes(self) -> list[str]:
        look = {"captures": self.found.captures, "synthetic inputs": self.found.synthetic}
        counts = " and ".join(f"{side.windows} of {side.images} {what} ({side.scenes} scenes)" for what, side in look.items())
        found = [f"Windows of {self.found.side} pixels, {counts}, train split; spectra in blocks of {self.found.block}. White "
                 "noise of s levels in a channel has the amplitude s at every wavelength; chroma is the mean of Cb and Cr."]
        if self.found.captures.against:
            found.append("Transfer: the share of the clean image's amplitude that is still there and in its place. Gain: slope "
                         "of the line from a clean window to the other, in means of 8x8 pixels; shift: the difference of their "
                         "means.")
        else:
            found.append("Without --truth, spectra and tone are those of two sets of scenes, and part of a difference may be "
                         "theirs.")
        found.append("Black and white: percentiles 1 and 99. AUC: 0.5 when the classifier cannot tell, 1 when it always can. "
                     "It tells by scenes too, where they differ"
                     + (": the clean sides show how well." if self.found.captures.against else "."))
        return found + self.found.notes

    def show(self, console: Console) -> None:
        console.print(self.title, "", style="bold", sep="\n", markup=False)
        for title, rows in self.tables():
            console.print(title, style="italic", markup=False)
            console.print(terminal("", as_table(rows)), "")
        for text in self.notes():
            console.print(note(text, console.width), markup=False)

    def markdown(self) -> str:
        lines = [f"# {self.title}", ""]
        for title, rows in self.tables():
            lines += [f"## {title}", "", *pipes("", as_table(rows)), ""]
        return "\n".join([*lines, *map(note, self.notes())]) + "\n"


def as_table(rows: Rows) -> pd.DataFrame:
    """The rows that have a cell; what is missing is an empty text."""
    rows = {row: cells for row, cells in rows.items() if cells}
    return pd.DataFrame([*rows.values()], index=[*rows]).fillna("")


def _text(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}"  # no -0.00


def _mean_sd(values: list[float], digits: int) -> str:
    return " ± ".join(_text(value, digits) for value in values)


def _quality(found: list[int], of: int) -> str:
    if not found:
        return f"none found in {of}"
    low, median, high = np.percentile(found, (25, 50, 75))
    return f"{median:.0f} (quartiles {low:.0f} and {high:.0f}) in {len(found)} of {of}"


def draw_likeness(found: Likeness, picture: Path, title: str) -> None:
    """A PNG: amplitude, and where the clean sides are known transfer and what was added, over the wavelength."""
    def amplitude(power):
        return np.sqrt(np.where(power > EMPTY, power, np.nan))

    looks = {"captures": found.captures, "synthetic": found.synthetic}
    panels = {"amplitude, 8-bit levels": {side: amplitude(look.power) for side, look in looks.items()}}
    if found.captures.against:
        panels["transfer"] = {side: look.against.transfer for side, look in looks.items()}
        panels["added: amplitude, 8-bit levels"] = {side: amplitude(look.against.added) for side, look in looks.items()}
    figure = Figure(figsize=(4.4 * len(panels), 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)
    figure.suptitle(f"{title}: {found.captures.windows} and {found.synthetic.windows} windows")
    f, colours = frequencies(found.block), dict(zip(CHANNELS, ("black", "tab:red")))
    shown = f * found.block > 1  # the lowest bin holds what the window function leaves of the mean
    for axis, (name, sides) in zip(axes[0], panels.items()):
        for (side, values), line in zip(sides.items(), ("-", "--")):
            for channel, curve in zip(CHANNELS, values):
                axis.plot(f[shown], curve[shown], line, color=colours[channel], label=f"{channel}, {side}")
        axis.set(title=name, xlabel="wavelength, pixels", xscale="log", yscale="linear" if name == "transfer" else "log")
        axis.set_xticks([1 / wavelength for wavelength in WAVELENGTHS], [f"{wavelength:g}" for wavelength in WAVELENGTHS],
                        fontsize="x-small")
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0, 0].legend(fontsize="small")
    with replacing(picture) as handle:
        figure.savefig(handle, format="png", dpi=100)
