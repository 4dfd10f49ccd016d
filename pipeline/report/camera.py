"""The camera that was estimated from the captures of a test, for the page: in words, and as a plot."""
from pathlib import Path

from pipeline.core.files import read_json
from pipeline.core.params import Params
from pipeline.degrade.transfer_estimate import Transfer
from pipeline.report.lines import Band, Curve, plot


def cameras(params: Params, captures: str, folder: Path) -> dict[str, tuple[Transfer, str]]:
    """Entry of `calibrations` of the same captures as the set named -> its estimate, and the plot of it as SVG; `folder` is
    data/calibrations."""
    same = [key for key, entry in params.calibrations.items()
            if captures != "none" and params.sets[entry.captures].folder == params.sets[captures].folder]
    found = {key: Transfer(**read_json(folder / key / "transfer.json")) for key in same}
    return {key: (transfer, draw(transfer)) for key, transfer in found.items()}


def draw(transfer: Transfer) -> str:
    """The measured transfer, and what it was taken apart into, over frequency."""
    f = transfer.frequency
    curves = [Curve(name, [*zip(f, values)], colour, style) for name, values, colour, style in (
        ("measured", transfer.measured, 0, "dots"), ("sharpening × softness", transfer.gain, 2, "thick"),
        ("sharpening", transfer.sharpening, 3, "dashed"), ("softness", transfer.softness, 1, "dashed"),
        ("incoherent share", transfer.stray, 5, "dotted"))]
    band = Band("its 95 % interval", [*zip(f, transfer.low)], [*zip(f, transfer.high)], 2)
    return plot(curves, "cycles per pixel of the capture", "gain", "The camera's transfer of brightness", band, transfer.end)
