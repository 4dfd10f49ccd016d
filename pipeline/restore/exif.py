"""What of a photo's EXIF goes with its restoration: what tells of the shot, not what tells how the file was laid out."""
from PIL import ExifTags, Image

from pipeline.images.picture import DAMAGE

Base, IFD = ExifTags.Base, ExifTags.IFD
KEPT = (Base.ImageDescription, Base.Make, Base.Model, Base.XResolution, Base.YResolution, Base.ResolutionUnit, Base.DateTime,
        Base.Artist, Base.Copyright, Base.Rating, Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject)
INCHES = 2  # ResolutionUnit


def carried(theirs: Image.Exif) -> Image.Exif:
    """The tags that are kept; not orientation, which is applied to the pixels, nor the interoperability part: the space that it
    tells goes along as a profile. What cannot be written again is lost."""
    exif = Image.Exif()
    try:
        for tag in KEPT:
            if tag in theirs:
                exif[tag] = theirs[tag]
        for part in (IFD.Exif, IFD.GPSInfo):
            values = dict(theirs.get_ifd(part))
            values.pop(IFD.Interop, None)
            if values:
                exif.get_ifd(part).update(values)
        exif.tobytes()
    except DAMAGE:
        return Image.Exif()
    return exif


def completed(exif: Image.Exif, software: str, height: int, width: int, dpi: tuple[float, float] | None = None) -> Image.Exif:
    """A copy for a restoration of this size, with the program's mark in `Software` and the pixels per inch."""
    copy = Image.Exif()
    copy.update(exif)
    for part in (IFD.Exif, IFD.GPSInfo):
        if values := exif.get_ifd(part):
            copy.get_ifd(part).update(values)
    copy[Base.Software] = software
    if dpi:
        copy[Base.XResolution], copy[Base.YResolution], copy[Base.ResolutionUnit] = *dpi, INCHES
    if shot := exif.get_ifd(IFD.Exif):
        sizes = {Base.ExifImageWidth: width, Base.ExifImageHeight: height}
        copy.get_ifd(IFD.Exif).update({tag: size for tag, size in sizes.items() if tag in shot})
    return copy


def trimmed(exif: Image.Exif, most: int) -> list[str]:
    """Take the largest values out until the block has at most `most` bytes; returns the names of these tags."""
    gone = []
    while len(exif.tobytes()) > most:
        parts = [exif, exif.get_ifd(IFD.Exif), exif.get_ifd(IFD.GPSInfo)]
        part, tag = max(((part, tag) for part in parts for tag in part if tag not in (IFD.Exif, IFD.GPSInfo, Base.Software)),
                        key=lambda place: _length(place[0][place[1]]))
        gone.append(ExifTags.TAGS.get(tag, str(tag)))
        del part[tag]
    return gone


def _length(value) -> int:
    """About how many bytes a value takes."""
    return len(value) if isinstance(value, (bytes, str)) else 8 * len(value) if isinstance(value, tuple) else 8
