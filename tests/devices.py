"""A stand-in for a GPU: torch's meta device, whose tensors have shapes and no values, watched for what a GPU would not do."""
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pipeline.score.lpips import import_lpips

META = torch.device("meta")
aten = torch.ops.aten
COPIES = (aten._to_copy.default, aten.copy_.default)  # the operations that may have tensors of two devices
# What CUDA adds up in whatever order its threads come in, also where it is asked for one order: two runs differ in rounding
# (torch.use_deterministic_algorithms.__doc__; `_backward` is what it calls differentiating).
UNORDERED = {
    "_adaptive_avg_pool2d_backward", "_upsample_bicubic2d_aa_backward", "_upsample_bilinear2d_aa_backward",
    "adaptive_max_pool2d_backward", "bincount", "cumsum", "grid_sampler_2d_backward", "histc", "nll_loss2d_forward",
    "reflection_pad1d_backward", "reflection_pad2d_backward", "replication_pad2d_backward", "upsample_bicubic2d_backward",
    "upsample_bilinear2d_backward"}
# of each architecture, small; tests/nets and tests/train say what they compute. spandrel is a package's, and not installed
NETS = {
    "compact": {"scale": 2, "layers": 1, "features": 6},
    "dmnet": {"blocks": 1, "features": 8, "layers": 3, "fine_features": 8},
    "dncnn": {"layers": 3, "features": 4},
    "edsr": {"scale": 2, "blocks": 1, "features": 8},
    "esdnet": {"features": 12, "inner": 2, "decoder_features": 12, "decoder_inner": 2},
    "msrresnet": {"scale": 2, "blocks": 1, "features": 8},
    "nafnet": {"features": 4, "encoder": [1, 1], "middle": 1, "decoder": [1, 1], "window": 18},
    "rcan": {"scale": 2, "groups": 1, "blocks": 1, "features": 8, "reduction": 4},
    "rednet": {"layers": 4, "features": 4},
    "resnet": {"features": 4, "blocks": 1},
    "srresnet": {"scale": 2, "blocks": 1, "features": 8},
    "unsharpen": {"size": 5},
    "zssr": {"layers": 2, "features": 4}}


def write_trunk(folder: Path) -> None:
    """Random weights of the trunk of LPIPS-Squeeze, where Lpips looks for them."""
    trunk = import_lpips().LPIPS(pnet_rand=True, net="squeeze", verbose=False).net.state_dict()
    trunk = {f"features.{name.split('.', 1)[1]}": value for name, value in trunk.items()}
    torch.save(trunk, folder / "squeezenet1_1_features.pth")


class Mixed(AssertionError):
    """An operation was given tensors of two devices."""


class Watch(TorchDispatchMode):
    """While it lasts, an operation on tensors of the CPU and of META at once raises Mixed; a single number may come from the
    CPU, as on a GPU. `reads` counts the values and tensors that were read back, for which a program waits until the GPU is
    done: a value is 1, a tensor full of 0.5. `sent` counts the tensors that went the other way, `unordered` has the names of
    operations that CUDA does not do in one order."""

    def __init__(self):
        super().__init__()
        self.reads, self.sent, self.unordered = 0, 0, set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        with self:  # in inference mode operations come that are made of others
            if (result := function.decompose(*args, **kwargs)) is not NotImplemented:
                return result
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)]
        on_meta = [tensor for tensor in tensors if tensor.device == META]
        if on_meta and function is aten._local_scalar_dense.default:
            self.reads += 1
            return 1.0
        if function in COPIES:
            return self._copied(function, args, kwargs)
        if on_meta:
            self.unordered |= {function.overloadpacket.__name__} & UNORDERED
            if any(tensor.device != META and tensor.ndim for tensor in tensors):
                raise Mixed(f"{function} has tensors of {', '.join(str(tensor.device) for tensor in tensors)}")
        return function(*args, **kwargs)

    def _copied(self, function, args, kwargs):
        if function is aten.copy_.default:
            target, source = args[:2]
            self.sent += target.device == META != source.device
            if source.device == META != target.device:
                self.reads += 1
                return target.fill_(0.5)
            return function(*args, **kwargs)
        target, source = kwargs.get("device", args[0].device), args[0]
        self.sent += target == META != source.device
        if source.device == META != target:
            self.reads += 1
            return torch.full(source.shape, 0.5, dtype=kwargs.get("dtype") or source.dtype, device=target)
        return function(*args, **kwargs)


@contextmanager
def watched(monkeypatch):
    """A Watch, in which fused optimizers and autocast, which torch has for real devices alone, take META as well."""
    optimizers = sys.modules["torch.optim.optimizer"]  # which torch.optim does not name
    monkeypatch.setattr(optimizers, "_get_fused_kernels_supported_devices", lambda: ["cpu", "meta"])
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    with Watch() as watch:
        yield watch
