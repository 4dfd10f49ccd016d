"""What of a photo's EXIF goes with its restoration: what tells of the shot, not what tells how the file was laid out."""
from PIL import ExifTags, Image

from pipeline.images.decode import DAMAGE

Base, IFD = ExifTags.Base, ExifTags.IFD
KEPT = (Base.ImageDescription, Base.Make, Base.Model, Base.XResolution, Base.YResolution, Base.ResolutionUnit, Base.DateTime,
        Base.Artist, Base.Copyright, Base.Rating, Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject)


def carried(image: Image.Image) -> Image.Exif:
    """The tags of an opened image that are kept; not orientation, which is applied to the pixels. Damaged EXIF is lost."""
    exif = Image.Exif()
    try:
        theirs = image.getexif()
        parts = {part: dict(theirs.get_ifd(part)) for part in (IFD.Exif, IFD.GPSInfo)}
        for tag in KEPT:
            if tag in theirs:
                exif[tag] = theirs[tag]
    except DAMAGE:
        return exif
    parts[IFD.Exif].pop(IFD.Interop, None)
    for part, values in parts.items():
        if values:
            exif.get_ifd(part).update(values)
    return exif if _can_be_written(exif) else Image.Exif()


def completed(exif: Image.Exif, software: str, height: int, width: int) -> Image.Exif:
    """A copy for a restoration of this size, with the program's mark in `Software`."""
    copy = Image.Exif()
    copy.update(exif)
    for part in (IFD.Exif, IFD.GPSInfo):
        if values := exif.get_ifd(part):
            copy.get_ifd(part).update(values)
    copy[Base.Software] = software
    if shot := exif.get_ifd(IFD.Exif):
        sizes = {Base.ExifImageWidth: width, Base.ExifImageHeight: height}
        copy.get_ifd(IFD.Exif).update({tag: size for tag, size in sizes.items() if tag in shot})
    return copy


def _can_be_written(exif: Image.Exif) -> bool:
    try:
        exif.tobytes()
    except DAMAGE:
        return False
    return True
