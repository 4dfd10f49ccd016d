"""Photos that the page sends, restored one at a time: by the code of `python -m pipeline restore`, so with the same bytes."""
import io
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from PIL import Image

from pipeline.images.colour import to_srgb
from pipeline.images.decode import on_white
from pipeline.restore.located import located
from pipeline.restore.named import hashes_of
from pipeline.restore.photo import read_photo
from pipeline.restore.plan import plan
from pipeline.restore.restorer import Restorer

KEEP = 2**30  # bytes of what networks answered: 89 megapixels of a result
WAIT = 0.2  # seconds between two looks at whether the page still waits


class Gone(Exception):
    """The page that asked no longer waits for the answer."""


class Photos:
    """`models`: the folder of networks. `max_megapixels`: photos with more are refused before they are decoded."""

    def __init__(self, models: Path, max_megapixels: float):
        self.models, self.max_megapixels = models, max_megapixels
        self.turn, self.shares = Lock(), {}
        self.name, self.restorer = "", None

    def restore(self, photo: Path, name: str, strength: float, job: str, gone: Callable[[], bool]) -> tuple[Path, list[str]]:
        """Restore a file by a network into the folder `restored` beside it. Returns the file there, and what a user is to know
        of how the photo was read and written.

        Another photo that is being restored is waited for. `job`: any text, by which `share` tells how far this one is. `gone`:
        whether nobody waits for it any more; it is asked after each tile. Raises Gone then, and what `Restorer` raises.
        """
        while not self.turn.acquire(timeout=WAIT):
            if gone():
                raise Gone
        try:
            if gone():
                raise Gone
            self.shares[job] = 0
            (task,), _ = plan([photo], photo.parent / "restored")
            restorer = self._loaded(name).at(strength)
            begun = restorer.begin(photo, task.target, max_megapixels=self.max_megapixels)
            height, width = begun.photo.colour.shape[:2]

            def advance(pixels: float) -> None:
                if gone():
                    raise Gone
                self.shares[job] += pixels / (height * width)

            remarks = restorer.finish(begun, advance=advance)
            return task.target, [*([restorer.remark] if restorer.remark else []), *remarks]
        finally:
            self.shares.pop(job, None)
            self.turn.release()

    def share(self, job: str) -> float | None:
        """How much of a photo is restored, 0 to 1; None while it is not being restored."""
        return self.shares.get(job)

    def shown(self, photo: Path, is_restored: bool) -> bytes:
        """A photo, or a restoration, which may be larger, as a PNG that every browser can show: 8-bit sRGB, transparent places
        white. Raises as `read_photo` does."""
        picture, handle = read_photo(photo, float("inf") if is_restored else self.max_megapixels), io.BytesIO()
        colour = picture.colour if picture.alpha is None else on_white(picture.colour, picture.alpha)
        Image.fromarray(to_srgb(colour, picture.profile)).save(handle, "PNG", compress_level=1)
        return handle.getvalue()

    def _loaded(self, name: str) -> Restorer:
        """The network, which stays in memory until another is asked for, or until it was trained anew."""
        weights = hashes_of(located(name, self.models), models=self.models)
        if self.restorer is None or self.name != name or self.restorer.weights != weights:
            self.restorer = None  # before the next is loaded, for its memory
            self.name, self.restorer = name, Restorer(name, models=self.models, keep=KEEP)
        return self.restorer
