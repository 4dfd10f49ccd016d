"""What the colours in a file mean, and how they become sRGB.

A file tells by an ICC profile, by EXIF (DCF: Adobe RGB), or by PNG's chunks cICP, gAMA and cHRM. Each of these becomes a
profile here, and a profile is judged by what it does, never by its name. Without any of them colours are sRGB.
"""
import io
from functools import lru_cache

import imagecodecs
import numpy as np
from PIL import ExifTags, Image, ImageCms

from pipeline.images.icc import D65, SRGB_CURVE, SRGB_PRIMARIES, curve, grey_profile, rgb_profile, tags_of
from pipeline.images.picture import DAMAGE, BadImage, eight_bit

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # of ICC -> of Pillow
ADOBE_PRIMARIES, ADOBE_GAMMA = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), 563 / 256
ADOBE = "Compatible with Adobe RGB (1998)"
NEAR = 0.01  # chromaticities that differ by less are the same
GAMA_SRGB, GAMA_NEAR = 45455, 0.05  # what PNGs of sRGB say; libpng too takes what differs by less as the same
NO_OPTIMISATION = 0x0100  # littlecms would put a coarse table in place of 16-bit curves, 19 levels of 255 off

# ITU-T H.273, tables 2 and 3: (primaries, white) and curves by their code
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
SMPTE_C = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
CICP_PRIMARIES = {1: (SRGB_PRIMARIES, D65), 5: (((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)), D65), 6: (SMPTE_C, D65),
                  7: (SMPTE_C, D65), 9: (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), D65), 11: (P3, (0.314, 0.351)),
                  12: (P3, D65)}
BT709 = curve(1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
CICP_CURVES = {1: BT709, 6: BT709, 14: BT709, 15: BT709, 4: curve(2.2), 5: curve(2.8), 8: curve(1), 13: SRGB_CURVE}
CICP_NAMES = {16: "PQ (HDR)", 18: "HLG (HDR)"}


@lru_cache(16)
def transform_of(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform]:
    """(Pillow's mode, transform of 8-bit values to sRGB: relative colorimetric, black point compensation) of a profile; raises
    what ImageCms does for a damaged one, or one for other colours than grey, RGB and CMYK."""
    theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    mode = MODES[theirs.profile.xcolor_space.strip()]
    return mode, ImageCms.buildTransform(theirs, SRGB, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC,
                                         ImageCms.Flags.BLACKPOINTCOMPENSATION)


def checked(profile: bytes | None, colour: np.ndarray, mode: str = "") -> tuple[bytes | None, tuple[str, ...]]:
    """An embedded profile as it goes with these pixels, which are grey or RGB, or of `mode` CMYK; None and a remark where it
    does not. Programs that turn grey into colours of equal values, or these into grey, leave a profile of the other model,
    which is made to fit."""
    mode = mode or ("L" if colour.ndim == 2 else "RGB")
    if not profile:
        return None, ()
    try:
        theirs, _ = transform_of(profile)
    except (ImageCms.PyCMSError, *DAMAGE):
        return None, ("its colour profile is damaged, or of an unknown kind, and left out",)
    if theirs != mode:
        if theirs == "RGB" and mode == "L" and (fitting := for_grey(profile)):
            return fitting, ()
        if theirs == "L" and mode == "RGB" and np.ptp(colour, axis=2).max() == 0 and (fitting := for_rgb(profile)):
            return fitting, ()
        return None, (f"its colour profile is for {theirs} and its pixels are {mode}; the profile is left out",)
    return profile, ()


@lru_cache(16)
def is_srgb(profile: bytes) -> bool:
    """Whether a profile for RGB or grey leaves no 8-bit value changed by more than a level."""
    mode, transform = transform_of(profile)
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    ramp = np.arange(256, dtype=np.uint8)[None]
    values = ramp if mode == "L" else np.concatenate((grid, np.repeat(ramp[..., None], 3, 2)), 1)
    there = np.asarray(ImageCms.applyTransform(Image.fromarray(values), transform)).astype(int)
    return bool(np.abs(there - (values[..., None] if mode == "L" else values)).max() <= 1)


def to_srgb(colour: np.ndarray, profile: bytes | None) -> np.ndarray:
    """uint8 (height, width, 3) sRGB of RGB or grey values, uint8 or uint16. 16-bit values are rounded after the conversion."""
    if profile is None or is_srgb(profile):
        colour = eight_bit(colour)
        return np.repeat(colour[..., None], 3, 2) if colour.ndim == 2 else colour
    mode, transform = transform_of(profile)
    if colour.dtype == np.uint8 and mode == "RGB":
        return np.array(ImageCms.applyTransform(Image.fromarray(colour), transform))
    if colour.dtype == np.uint8:  # littlecms is 9 levels off in the dark with grey of 8 bits
        return to_srgb(np.arange(256, dtype=np.uint16)[None] * np.uint16(257), profile)[0][colour]
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION | NO_OPTIMISATION
    return eight_bit(imagecodecs.cms_transform(
        np.ascontiguousarray(colour), profile, SRGB.tobytes(), colorspace="gray" if mode == "L" else "rgb", outcolorspace="rgb",
        intent=int(ImageCms.Intent.RELATIVE_COLORIMETRIC), flags=int(flags)))


def cmyk_to_srgb(values: np.ndarray, profile: bytes | None) -> np.ndarray:
    """uint8 (height, width, 4) CMYK, 255 full ink -> uint8 (height, width, 3); without a profile by (255-C)(255-K)/255."""
    image = Image.fromarray(np.ascontiguousarray(values), "CMYK")
    return np.array(ImageCms.applyTransform(image, transform_of(profile)[1]) if profile else image.convert("RGB"))


def of_exif(exif: Image.Exif, grey: bool) -> tuple[bytes | None, tuple[str, ...]]:
    """The profile for colours that EXIF tells: Adobe RGB by ColorSpace 2, by interoperability R03 or by its primaries."""
    shot, primaries = exif.get_ifd(ExifTags.IFD.Exif), exif.get(ExifTags.Base.PrimaryChromaticities)
    space, index = shot.get(ExifTags.Base.ColorSpace), str(exif.get_ifd(ExifTags.IFD.Interop).get(1, ""))
    if space == 2 or (space != 1 and index.startswith("R03")):
        return _adobe(grey), ()
    if primaries and space != 1:
        told = np.array([float(value) for value in primaries])
        if told.shape == (6,) and _near(told, ADOBE_PRIMARIES):
            return _adobe(grey), ()
        if told.shape != (6,) or not _near(told, SRGB_PRIMARIES):
            raise BadImage(f"its tag PrimaryChromaticities says {told.tolist()}, neither sRGB nor Adobe RGB; wanted is an ICC "
                           "profile")
    if space == 0xFFFF:
        return None, ("its EXIF says 'uncalibrated' and names no colours: they are taken as sRGB",)
    return None, ()


def of_cicp(body: bytes, grey: bool) -> bytes | None:
    """The profile for PNG's chunk cICP: codes of primaries, curve, matrix and range as in ITU-T H.273. None is sRGB."""
    if len(body) != 4:
        raise BadImage(f"its chunk cICP has {len(body)} bytes, wanted 4")
    primaries, tone, matrix, full = body
    if matrix != 0 or full != 1:
        raise BadImage(f"its chunk cICP says matrix {matrix}, range {full}; wanted RGB (0) of full range (1)")
    if primaries not in CICP_PRIMARIES or tone not in CICP_CURVES:
        raise BadImage(f"its colours have primaries {primaries} and transfer {CICP_NAMES.get(tone, tone)} of H.273; wanted are "
                       f"primaries {sorted(CICP_PRIMARIES)} and transfer {sorted(CICP_CURVES)}")
    if (primaries, tone) == (1, 13):
        return None
    return _made(f"CICP {primaries}/{tone}", grey, *CICP_PRIMARIES[primaries], CICP_CURVES[tone])


def of_gama(gama: int | None, chrm: np.ndarray | None, grey: bool) -> bytes | None:
    """The profile for PNG's chunks gAMA (times 100000) and cHRM (white, red, green, blue as x, y). None is sRGB."""
    primaries_are_srgb = chrm is None or _near(chrm, (D65, *SRGB_PRIMARIES))
    if (gama is None or abs(gama / GAMA_SRGB - 1) <= GAMA_NEAR) and (primaries_are_srgb or grey):
        return None
    if gama is None:
        raise BadImage("its chunk cHRM says other primaries than sRGB's, and no gAMA says their curve")
    if not 1000 <= gama <= 10_000_000:
        raise BadImage(f"its chunk gAMA says {gama / 1e5:g}, wanted 0.01 to 100")
    white, *primaries = (D65, *SRGB_PRIMARIES) if primaries_are_srgb else chrm.reshape(4, 2)
    return _made(f"PNG gamma {gama / 1e5:g}", grey, primaries, white, curve(1e5 / gama))


def for_rgb(profile: bytes) -> bytes | None:
    """The profile under which RGB of three equal values is what grey is under `profile`; None when that has no plain curve."""
    tone = tags_of(profile).get("kTRC")
    return rgb_profile("Grey as RGB", tone=tone) if tone else None


def for_grey(profile: bytes) -> bytes | None:
    """The profile under which grey is what RGB of three equal values is under `profile`; None unless its curves are equal."""
    tags = tags_of(profile)
    tones = {tags.get(f"{channel}TRC") for channel in "rgb"}
    return grey_profile("RGB as grey", tones.pop()) if len(tones) == 1 and None not in tones and "A2B0" not in tags else None


def _adobe(grey: bool) -> bytes:
    return _made(ADOBE, grey, ADOBE_PRIMARIES, D65, curve(ADOBE_GAMMA))


def _made(name: str, grey: bool, primaries, white, tone: bytes) -> bytes:
    try:
        profile = grey_profile(name, tone) if grey else rgb_profile(name, primaries, tuple(white), tone)
        transform_of(profile)
    except (ImageCms.PyCMSError, *DAMAGE):
        raise BadImage(f"the primaries {np.ravel(primaries).tolist()} with white {list(white)} make no sense") from None
    return profile


def _near(told, known) -> bool:
    return bool(np.abs(np.ravel(told) - np.ravel(known)).max() < NEAR)
