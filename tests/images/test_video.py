"""Sets of video files, and of the faces in them. The one face is that of scikit-image's photograph of an astronaut."""
# ruff: noqa: F811
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data
from test_ingest import names, project, refused, run, tree  # noqa: F401

from pipeline.images.shards import Shard
from pipeline.images.video_tags import colour_tags

PART = (20, 120, 200, 200)  # of the photograph: top, left, height, width
FRAMES, HEIGHT, WIDTH = 23, 272, 400


def level(index: int) -> int:
    return 20 + 9 * index


def clip(path, count=FRAMES, faces=(), height=HEIGHT, width=WIDTH) -> None:
    """A clip of grey frames, each as bright at its lower edge as `level` says, with the photograph's face in places."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), 10, (width, height))
    assert writer.isOpened()
    top, left, tall, wide = PART
    photograph = data.astronaut()[top : top + tall, left : left + wide, ::-1]
    for index in range(count):
        frame = np.full((height, width, 3), 128, np.uint8)
        for row, column, factor in faces:
            face = cv2.resize(photograph, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            frame[row : row + face.shape[0], column : column + face.shape[1]] = face
        frame[-24:] = level(index)
        writer.write(frame)
    writer.release()


@pytest.mark.parametrize("every", [1, 4, 30])
def test_every_nth_frame_arrives_under_its_number(project, every):
    clip("photos/a/clip.avi")
    manifest = run(video_every=every)
    shard = Shard("data/sets/mine/train")
    assert shard.names == [f"a/clip#{index:06d}" for index in range(0, FRAMES, every)]
    assert set(shard.scenes) == {"a/clip"} and {entry["file"] for entry in shard.images} == {"a/clip.avi"}
    seen = [round((float(image[-16:].mean()) - level(0)) / 9) for image in shard]  # what the frames themselves say
    assert seen == list(range(0, FRAMES, every))
    assert all(image.shape == (HEIGHT, WIDTH, 3) for image in shard)
    assert manifest["video"] == {"files": 1, "frames": len(shard)}


@pytest.mark.parametrize("ending, codec", [("mp4", "mp4v"), ("mov", "mp4v"), ("mkv", "MJPG"), ("webm", "VP80")])
def test_other_containers(project, ending, codec):
    Path("photos").mkdir()
    path = f"photos/clip.{ending.upper() if ending == 'mov' else ending}"
    writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), 10, (64, 48))
    if not writer.isOpened():
        pytest.skip(f"OpenCV's FFmpeg writes no {codec} here")
    for index in range(FRAMES):
        writer.write(np.full((48, 64, 3), level(index), np.uint8))
    writer.release()
    run(video_every=3)
    shard = Shard("data/sets/mine/train")
    assert shard.names == [f"clip#{index:06d}" for index in range(0, FRAMES, 3)]
    assert [round((float(image.mean()) - level(0)) / 9) for image in shard] == list(range(0, FRAMES, 3))
    Path(path).write_bytes(Path(path).read_bytes()[: Path(path).stat().st_size // 2])
    with pytest.raises(ValueError, match=f"'{Path(path).name}': (cannot be opened|damaged or cut off)"):
        run("cut", video_every=3)


def test_red_is_red(project):
    Path("photos").mkdir()
    writer = cv2.VideoWriter("photos/red.avi", cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.full((48, 64, 3), (0, 0, 200), np.uint8))  # BGR
    writer.release()
    run(video_every=1)
    assert np.abs(Shard("data/sets/mine/train")[0].reshape(-1, 3).mean(0) - (200, 0, 0)).max() < 6


def test_no_video_is_in_two_splits(project):
    """Frames of one video are near copies of one another."""
    for k in range(8):
        clip(f"photos/{k}.avi", 5, height=48, width=64)
    manifest = run(video_every=2, val=0.25, test=0.25, holdout=0.1)
    found = [set(Shard(f"data/sets/mine/{split}").scenes) for split in ("train", "val", "test", "holdout")]
    assert sum(map(len, found)) == 8 == len(set.union(*found)) and all(found)
    assert all(len(images) % 3 == 0 for images in names().values())
    assert manifest["video"] == {"files": 8, "frames": 24}


def test_videos_and_images_in_one_folder_and_patches_of_both(project):
    clip("photos/clip.avi", 6, height=48, width=64)
    cv2.imwrite("photos/still.png", np.full((48, 64, 3), 7, np.uint8))
    run(video_every=3, patches=12)
    found = names()["train"]
    assert [name.rpartition("#")[0] for name in found] == ["clip#000000"] * 4 + ["clip#000003"] * 4 + ["still"] * 4
    assert all(entry["whole"] == [48, 64] for entry in Shard("data/sets/mine/train").images)
    before = tree("data/sets/mine")
    run(video_every=3, patches=12)
    assert tree("data/sets/mine") == before


def test_video_files_are_passed_over_unless_asked_for(project):
    clip("photos/clip.avi", 3, height=48, width=64)
    assert refused().startswith("sets.mine.folder: no images in photos; wanted are ")
    cv2.imwrite("photos/still.png", np.full((48, 64, 3), 7, np.uint8))
    manifest = run()
    assert names()["train"] == ["still"] and manifest["ignored"] == 1
    assert "video" not in manifest and not {"video_every", "faces"} & set(manifest["params"])


def test_a_video_that_is_cut_off_is_refused_by_name(project):
    clip("photos/whole.avi")
    content = Path("photos/whole.avi").read_bytes()
    Path("photos/cut.avi").write_bytes(content[: len(content) // 2])
    message = refused(video_every=2)
    assert message.startswith("sets.mine: 1 refused") and "'cut.avi': damaged or cut off: " in message
    assert f"frames can be decoded, its header says {FRAMES}" in message and "\n" not in message
    assert {name.split("#")[0] for name in run(video_every=2, max_rejected=1) and names()["train"]} == {"whole"}


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_what_cannot_be_opened_is_refused_by_name(project, content):
    Path("photos").mkdir()
    Path("photos/bad.mp4").write_bytes(content)
    assert "'bad.mp4': cannot be opened as a video; wanted is one that OpenCV's FFmpeg decodes" in refused(video_every=5)


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


def colr(primaries: int, transfer: int, matrix: int, kind: bytes = b"nclx") -> bytes:
    numbers = b"".join(number.to_bytes(2) for number in (primaries, transfer, matrix))
    return box(b"colr", kind + numbers + bytes(kind == b"nclx"))


def pasp(wide: int, tall: int) -> bytes:
    return box(b"pasp", wide.to_bytes(4) + tall.to_bytes(4))


def with_box(content: bytes, added: bytes) -> bytes:
    """An MP4 file whose video track says more of itself; its `moov` comes last, so no offset moves."""
    content, start = bytearray(content), 0
    places, inside = [], [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4v"]
    while inside:
        size, kind = int.from_bytes(content[start : start + 4]), content[start + 4 : start + 8]
        if kind != inside[0]:
            start += size
            continue
        places.append(start)
        inside.pop(0)
        start += 16 if kind == b"stsd" else 8
    for place in places:
        content[place : place + 4] = (int.from_bytes(content[place : place + 4]) + len(added)).to_bytes(4)
    end = places[-1] + int.from_bytes(content[places[-1] : places[-1] + 4]) - len(added)
    return bytes(content[:end] + added + content[end:])


@pytest.fixture(scope="module")
def mp4(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("mp4") / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48))
    for index in range(3):
        writer.write(np.full((48, 64, 3), level(index), np.uint8))
    writer.release()
    return path.read_bytes()


@pytest.mark.parametrize("added, reason", [
    (colr(9, 18, 9), "its colours are HLG, BT.2020;"),
    (colr(9, 18, 9, b"nclc"), "its colours are HLG, BT.2020;"),
    (colr(9, 16, 9), "its colours are PQ, BT.2020;"),
    (colr(9, 14, 9), "its colours are BT.2020;"),
    (colr(12, 1, 1), "its colours are Display P3;"),
    (pasp(4, 3), "its pixels are not square, but 4:3;"),
])
def test_frames_that_would_come_out_squashed_or_in_wrong_colours_are_refused_by_name(project, mp4, added, reason):
    Path("photos").mkdir()
    Path("photos/clip.mp4").write_bytes(with_box(mp4, added))
    assert f"'clip.mp4': {reason}" in refused(video_every=1)


@pytest.mark.parametrize("added", [b"", colr(1, 1, 1), colr(6, 6, 6), colr(2, 2, 2), colr(1, 13, 1), pasp(1, 1)])
def test_tags_of_ordinary_videos_change_nothing(project, mp4, added):
    Path("photos").mkdir()
    Path("photos/clip.mp4").write_bytes(with_box(mp4, added))
    run(video_every=1)
    assert len(names()["train"]) == 3


@pytest.mark.parametrize("element, unlike", [  # as FFmpeg 8 writes them
    ("55b09055ba811055b1810955bb810955b98101", "PQ, BT.2020"), ("55b09055ba810155b1810155bb810155b98101", ""),
    ("55b08455ba8112", "HLG")])
def test_matroska_says_its_colours_in_an_element(tmp_path, element, unlike):
    (tmp_path / "clip.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(99) + bytes.fromhex(element) + b"\x1f\x43\xb6\x75"
                                        + bytes.fromhex("55b08455ba8110"))  # in the pictures it means nothing
    (tags,) = colour_tags(tmp_path / "clip.mkv")
    assert tags.unlike_sdr == unlike


def test_too_large_frames_are_refused(project):
    clip("photos/clip.avi", 2)
    from pipeline.images.decode import BadImage
    from pipeline.images.video import measure_video
    with pytest.raises(BadImage, match="its frames have 0.1088 megapixels, allowed are 0.1"):
        measure_video("photos/clip.avi", 0.1)
