"""How other projects name the weights of our architectures, and what their names and shapes tell of a network.

Only what weights cannot tell is taken as the authors have it, and remarked on.
"""
import math
import re
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

State = dict[str, Tensor]
OWN = "restage"  # the layout of files that `export --to safetensors` wrote
WIDE = 256  # features from which EDSR's authors scale the residuals, and by how much
WIDE_SCALE = 0.1
COMPACT_BODY = r"body\.(\d+)\.weight"
NAFNET_WINDOW = 384  # pixels; one and a half times the training patches of NAFNet's authors


class Layout(NamedTuple):
    marks: tuple[str, ...]
    """Keys that together only this layout has."""
    options: Callable[[State], dict]
    """The options of our architecture, from weights by their names; ValueError names the key that is missing or odd."""
    rules: tuple[tuple[str, str | None], ...] = ()
    """Patterns of the beginning of our names, and what their files have in its place; None where they lack the weight."""
    wrapper: str | None = None
    """The key below which their own programs look for the weights."""
    fits: Callable[[State], bool] = lambda state: True
    """Whether a file with these keys is such a network, where other networks have the same keys."""

    def name(self, ours: str) -> str | None:
        """Their name of one of our weights, None when their files lack it."""
        for pattern, theirs in self.rules:
            if re.match(pattern, ours):
                return None if theirs is None else re.sub(f"^{pattern}", theirs, ours)
        return ours


def shape(state: State, key: str) -> tuple[int, ...]:
    """Of a convolution's weight."""
    if key not in state:
        raise ValueError(f"key {key} is missing")
    if state[key].ndim != 4 or 0 in state[key].shape:
        raise ValueError(f"key {key} has the shape {list(state[key].shape)}, wanted a convolution's, of four")
    return tuple(state[key].shape)


def how_many(state: State, pattern: str) -> int:
    """How many there are of what `pattern` has the number of, numbered from 0; never more than there are keys."""
    last = max((int(found[1]) for found in (re.match(pattern, key) for key in state) if found), default=-1)
    return min(1 + last, len(state))


def enlargement(state: State, pattern: str) -> int:
    """The product of the factors of sub-pixel convolutions."""
    sizes = [shape(state, key) for key in state if re.fullmatch(pattern, key)]
    return math.prod(math.isqrt(outputs // inputs) for outputs, inputs, *_ in sizes)


def edsr(head: str, blocks: str, upsampler: str) -> Callable[[State], dict]:
    def options(state: State) -> dict:
        features = shape(state, head)[0]
        return {"scale": enlargement(state, upsampler), "blocks": how_many(state, blocks), "features": features,
                "res_scale": WIDE_SCALE if features >= WIDE else 1.0}
    return options


def rcan(head: str, groups: str, blocks: str, upsampler: str, squeeze: str) -> Callable[[State], dict]:
    def options(state: State) -> dict:
        features = shape(state, head)[0]
        return {"scale": enlargement(state, upsampler), "groups": how_many(state, groups), "blocks": how_many(state, blocks),
                "features": features, "reduction": features // shape(state, squeeze)[0]}
    return options


def msrresnet(blocks: str) -> Callable[[State], dict]:
    def options(state: State) -> dict:
        return {"scale": enlargement(state, r"upconv\d\.weight"), "blocks": how_many(state, blocks),
                "features": shape(state, "conv_first.weight")[0]}
    return options


def dncnn(state: State) -> dict:
    last = how_many(state, r"model\.(\d+)\.") - 1
    batch_norm = any(key.endswith(".running_mean") for key in state)
    features, channels = shape(state, "model.0.weight")[:2]
    return {"layers": last // 3 + 2 if batch_norm else last // 2 + 1, "features": features, "batch_norm": batch_norm,
            "channels": channels}


def rgb(key: str) -> Callable[[State], bool]:
    """Whether the convolution `key` takes one or three channels. KAIR's other networks that are a row of layers take more:
    FFDNet, FDnCNN, SRMD."""
    return lambda state: state[key].ndim == 4 and state[key].shape[1] in (1, 3)


def compact(state: State) -> dict:
    place = how_many(state, COMPACT_BODY) - 1
    return {"scale": math.isqrt(shape(state, f"body.{place}.weight")[0] // 3), "layers": place // 2 - 1,
            "features": shape(state, "body.0.weight")[0]}


def is_compact(state: State) -> bool:
    """From RGB to RGB, x1 to x4, with PReLU: a slope for each feature stands behind the first convolution."""
    first, slopes = state["body.0.weight"], state["body.1.weight"]
    last = state.get(f"body.{how_many(state, COMPACT_BODY) - 1}.weight", first)
    return (first.shape[1:] == (3, 3, 3) and slopes.shape == first.shape[:1]
            and last.shape[:1] in [(3 * factor**2,) for factor in (1, 2, 3, 4)])


def nafnet(state: State) -> dict:
    levels = how_many(state, r"downs\.(\d+)\.")
    encoder, decoder = ([how_many(state, rf"{side}\.{level}\.(\d+)\.") for level in range(levels)]
                        for side in ("encoders", "decoders"))
    return {"features": shape(state, "intro.weight")[0], "encoder": encoder,
            "middle": how_many(state, r"middle_blks\.(\d+)\."), "decoder": decoder, "window": NAFNET_WINDOW}


def is_nafnet(state: State) -> bool:
    """From RGB to RGB."""
    return state["intro.weight"].shape[1:] == (3, 3, 3) and state["ending.weight"].shape[:1] == (3,)


def esdnet(state: State) -> dict:
    first = "coder_1.rdb.conv_layers.0.conv.0.weight"
    return {"features": shape(state, "encoder.conv_first.0.weight")[0], "inner": shape(state, f"encoder.en{first}")[0],
            "decoder_features": shape(state, "decoder.preconv_3.conv.0.weight")[0],
            "decoder_inner": shape(state, f"decoder.de{first}")[0],
            "sams": how_many(state, r"encoder\.encoder_1\.sam_blocks\.(\d+)\.")}


BASICSR_ENDS = ((r"(sub|add)_mean\.", None), (r"head\.0\.", "conv_first."), (r"tail\.0\.", "upsample."),
                (r"tail\.1\.", "conv_last."))
BASICSR_EDSR = (*BASICSR_ENDS, (r"body\.(\d+)\.body\.0\.", r"body.\1.conv1."), (r"body\.(\d+)\.body\.2\.", r"body.\1.conv2."),
                (r"body\.\d+\.", "conv_after_body."))
BASICSR_RCAN = (*BASICSR_ENDS,
                (r"body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.0\.", r"body.\1.residual_group.\2.rcab.3.attention.1."),
                (r"body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.2\.", r"body.\1.residual_group.\2.rcab.3.attention.3."),
                (r"body\.(\d+)\.body\.(\d+)\.body\.", r"body.\1.residual_group.\2.rcab."),
                (r"body\.(\d+)\.body\.\d+\.", r"body.\1.conv."), (r"body\.\d+\.", "conv_after_body."))

LAYOUTS: dict[tuple[str, str], Layout] = {  # (project, our architecture)
    ("edsr-pytorch", "edsr"): Layout(
        ("head.0.weight", "body.0.body.0.weight"),
        edsr("head.0.weight", r"body\.(\d+)\.body\.", r"tail\.0\.\d+\.weight")),
    ("rcan", "rcan"): Layout(
        ("head.0.weight", "body.0.body.0.body.0.weight"),
        rcan("head.0.weight", r"body\.(\d+)\.body\.", r"body\.0\.body\.(\d+)\.body\.", r"tail\.0\.\d+\.weight",
             "body.0.body.0.body.3.conv_du.0.weight")),
    ("basicsr", "edsr"): Layout(
        ("conv_first.weight", "body.0.conv1.weight", "conv_after_body.weight"),
        edsr("conv_first.weight", r"body\.(\d+)\.conv[12]\.", r"upsample\.\d+\.weight"), BASICSR_EDSR, "params"),
    ("basicsr", "rcan"): Layout(
        ("conv_first.weight", "body.0.residual_group.0.rcab.0.weight"),
        rcan("conv_first.weight", r"body\.(\d+)\.residual_group\.", r"body\.0\.residual_group\.(\d+)\.",
             r"upsample\.\d+\.weight", "body.0.residual_group.0.rcab.3.attention.1.weight"), BASICSR_RCAN, "params"),
    ("basicsr", "msrresnet"): Layout(
        ("conv_first.weight", "body.0.conv1.weight", "conv_hr.weight"), msrresnet(r"body\.(\d+)\."), (), "params"),
    ("kair", "msrresnet"): Layout(
        ("conv_first.weight", "recon_trunk.0.conv1.weight", "HRconv.weight"), msrresnet(r"recon_trunk\.(\d+)\."),
        ((r"body\.", "recon_trunk."), (r"conv_hr\.", "HRconv."))),
    ("kair", "dncnn"): Layout(("model.0.weight", "model.2.weight"), dncnn, fits=rgb("model.0.weight")),
    ("realesrgan", "compact"): Layout(("body.0.weight", "body.1.weight", "body.2.weight"), compact, (), "params", is_compact),
    ("nafnet", "nafnet"): Layout(
        ("intro.weight", "ending.weight", "middle_blks.0.conv2.weight", "middle_blks.0.sca.1.weight"), nafnet, (), "params",
        is_nafnet),
    ("uhdm", "esdnet"): Layout(("encoder.conv_first.0.weight", "decoder.preconv_3.conv.0.weight"), esdnet),
}


def recognise(state: State) -> tuple[str, str, dict] | None:
    """Project, our architecture and its options for a file's weights, None when no layout has such keys.

    Raises ValueError, naming the key, when the options cannot be told.
    """
    for (project, arch), layout in LAYOUTS.items():
        if all(mark in state for mark in layout.marks) and layout.fits(state):
            return project, arch, layout.options(state)
    return None


def remarks(project: str, arch: str, options: dict) -> list[str]:
    """What the weights of a network could not tell, and what was taken."""
    if project == OWN:
        return []
    said = []
    if arch == "edsr":
        said.append(f"res_scale is not in such files; taken as {options['res_scale']:g}, as its authors have at this width: "
                    "if yours is another, change the entry's options")
    if project == "basicsr" and arch in ("edsr", "rcan"):
        said.append("mean and value range are not in such files; taken as BasicSR's own, the mean of DIV2K and 0..255")
    if arch == "dncnn" and options["channels"] == 1:
        said.append("a network for grey images: it restores each colour by itself")
    if arch == "dncnn" and options["layers"] == 7 and not options["batch_norm"]:
        said.append("if this is KAIR's IRCNN, it comes out wrong: its keys and shapes are those of seven layers of DnCNN, but "
                    "its convolutions are dilated")
    if arch == "nafnet":
        said.append(f"window is not in such files; taken as {options['window']}, with which its authors test what they trained "
                    "on patches of 256 pixels: for means over the whole image, set the entry's options.window to 0")
    return said
