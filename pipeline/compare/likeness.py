"""How alike captures and synthetic inputs are: spectra, noise, compression, tone, and whether a classifier tells them apart.

Where the clean side of both is known, scenes drop out of the comparison: what became of a clean image on its way to a capture
is set beside what became of it in the synthesis. Otherwise spectra and tone are those of two sets of scenes, and a difference
may be theirs.
"""
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.compare.against import EMPTY, Against, against, spectrum
from pipeline.compare.windows import Windows, common_side, windows
from pipeline.core.settings import Bench
from pipeline.degrade.calibrate import flat_noise
from pipeline.degrade.quality import jpeg_quality
from pipeline.degrade.spectra import frequencies
from pipeline.images.shards import Shard
from pipeline.score.critic import Sample, critic_auc, sample_patches

WAVELENGTHS = (40, 20, 10, 7, 5, 4, 3, 2.5, 2.1)  # pixels
BANDS = ((20, 40), (10, 20), (6, 10), (4, 6), (2.8, 4), (2, 2.8))  # pixels
BLOCK = 128  # pixels; the largest block of the spectra
HELD = 1.5  # times that a block holds the longest wavelength of which anything is said
TONES = ("mean", "contrast", "black", "white")
QUALITY_IMAGES = 200  # of which the compression is looked for, a window of each
FLAT, SPREAD = 8, 32  # levels of contrast: the least that is evened out, and what it is evened out to


@dataclass(frozen=True)
class Look:
    """What one side looks like."""
    windows: int
    images: int
    scenes: int
    power: np.ndarray  # (2 channels, block // 2 bins): the `spectrum`
    white: float  # standard deviation in levels of the white noise in the flattest places
    quality: list[int | None]  # the JPEG quality found in a window of each image, or None
    tone: np.ndarray
    """(windows, 4, 3): of R, G and B the mean, the standard deviation, and the 1 % and 99 % percentiles, in levels."""
    against: Against | None


@dataclass(frozen=True)
class Likeness:
    side: int  # pixels on a side of all windows
    block: int
    captures: Look
    synthetic: Look
    auc: dict[str, dict[str, float]]
    """How well the critic tells captures from synthetic inputs and, where they are known, their clean sides: by patches as
    they are, and by patches of even tone."""
    notes: list[str]  # what could not be computed, and why


def compare(captures: Shard, inputs: Shard, clean: tuple[Shard, Shard] | None, names: tuple[str, str],
            bench: Bench) -> Likeness:
    """`clean`: the truth of the captures and the targets of the synthetic inputs, or None where there is no truth.

    Shards of uint8 images, `clean` paired with the others; `names` say in the user's terms what the first two are. Everything
    drawn depends on bench.seed. Raises ValueError where the images are too small.
    """
    side = common_side(dict(zip(names, (captures, inputs))))
    block = min(BLOCK, 2 ** (side.bit_length() - 1))
    ours, theirs = (windows(shard, side, bench.seed) for shard in (captures, inputs))
    partners = [Windows(shard, side, cut.places, shard.images[0]["height"] // cut.shard.images[0]["height"])
                for cut, shard in zip((ours, theirs), clean or ())] or [None, None]
    looks = [look(cut, partner, block) for cut, partner in zip((ours, theirs), partners)]
    notes = [f"Wavelengths above {int(block / HELD)} pixels are left out: the images hold blocks of {block}."] \
        if block < HELD * max(WAVELENGTHS) else []
    auc = {}
    try:
        auc["captures and inputs"] = auc_by_scene(ours, theirs, bench)
        if clean:
            auc["their clean sides"] = auc_by_scene(*partners, bench)
    except ValueError as error:
        notes.append(f"No AUC: {error}.")
    return Likeness(side, block, *looks, auc, notes)


def look(cut: Windows, clean: Windows | None, block: int) -> Look:
    """Windows are read one at a time, some of them several times."""
    power = spectrum(cut, block)
    images = [image for image, _, _ in cut.places]
    firsts = [k for k, image in enumerate(images) if k == 0 or images[k - 1] != image]
    firsts = firsts[:: -(-len(firsts) // QUALITY_IMAGES)]
    pixels = (window.reshape(-1, 3) for window in cut)
    tone = [[one.mean(axis=0), one.std(axis=0), *np.percentile(one, (1, 99), axis=0)] for one in pixels]
    return Look(len(cut), len(set(images)), len(set(cut.scenes)), power, flat_noise(cut),
                [jpeg_quality(cut[k]) for k in firsts], np.array(tone),
                None if clean is None else against(cut, clean, power, block))


def auc_by_scene(real: Windows, synthetic: Windows, bench: Bench) -> dict[str, float]:
    """The critic's AUC by patches as they are, and by patches of even tone. Raises ValueError for less than 2 scenes a side."""
    sides = [sample_patches(cut, min(bench.critic_patch, cut.side), bench.seed) for cut in (synthetic, real)]
    return {"as they are": critic_auc(*sides, bench, bench.seed),
            "even tone": critic_auc(*map(even_tone, sides), bench, bench.seed)}


def even_tone(patches: Sample) -> Sample:
    """Each channel of each patch with a mean of 128 and a contrast of 32 levels, so that texture alone is left to tell by;
    contrasts of less than 8 levels are taken for 8, as noise would become all there is."""
    x = patches.patches.float()
    x = x - x.mean((2, 3), keepdim=True)
    contrast = x.square().mean((2, 3), keepdim=True).sqrt().clamp(min=FLAT)
    return Sample((128 + SPREAD * x / contrast).round().clamp(0, 255).to(torch.uint8), patches.half)


def at_wavelengths(values: np.ndarray, block: int) -> dict[str, float]:
    """(block // 2,) values interpolated at WAVELENGTHS, by these as texts such as 20 px; none where they are not finite or the
    block is too small for a wave."""
    held = [wavelength for wavelength in WAVELENGTHS if HELD * wavelength <= block]
    found = np.interp([1 / wavelength for wavelength in held], frequencies(block), values)
    return {f"{wavelength:g} px": float(value) for wavelength, value in zip(held, found) if np.isfinite(value)}


def amplitudes(power: np.ndarray, block: int) -> dict[str, float]:
    """Wavelength as above -> amplitude in levels of a channel of that power."""
    logarithm = np.log(np.where(power > EMPTY, power, np.nan)) / 2
    return {wavelength: float(np.exp(value)) for wavelength, value in at_wavelengths(logarithm, block).items()}


def in_bands(power: np.ndarray, block: int) -> dict[str, float]:
    """Band of BANDS, such as 20-40 px -> rms in levels of what (block // 2,) power there is in it, where the block holds it.

    The integral over the ring in the plane of frequencies: white noise of standard deviation s in the channel, whose power is
    s^2 everywhere, has the rms s sqrt(pi (1/short^2 - 1/long^2)).
    """
    edges = np.arange(block // 2 + 1) / block
    return {f"{short:g}-{long:g} px": float(np.sqrt(np.sum(power * np.pi * np.diff(np.clip(edges, 1 / long, 1 / short) ** 2))))
            for short, long in BANDS if HELD * long <= block}
