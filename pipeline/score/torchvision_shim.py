"""Import `lpips` beside a torch build that torchvision's compiled part does not fit.

`lpips` needs torchvision for the layout of its backbones only. The package index serves torchvision for CUDA: beside a
CPU build of torch its operators cannot be loaded, and its Python part then stops for want of two of their schemas.
Declaring these two is enough; no operator is ever called.
"""
import torch

SCHEMAS = {"nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
           "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"}
_library = torch.library.Library("torchvision", "FRAGMENT")  # the schemas live as long as this object


def import_lpips():
    """The package `lpips`."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in (name for name in SCHEMAS if not hasattr(torch.ops.torchvision, name)):
            _library.define(SCHEMAS[name])
    import lpips
    return lpips
