"""Faces that are found in the frames of a video."""
# ruff: noqa: F811

import cv2
import numpy as np
import pytest
from skimage import data
from skimage.feature import Cascade
from test_ingest import names, project, refused, run, tree  # noqa: F401
from test_video import PART, clip

from pipeline.images import faces
from pipeline.images.shards import Shard

FACE = (74, 178, 83)  # top, left, side of the face in the photograph, as scikit-image's own classifier finds it
LARGE, SMALL = (40, 30, 1.0), (110, 260, 0.6)  # top, left and enlargement of that part in a frame


def place(face: tuple[float, float, float]) -> np.ndarray:
    """Top, left and side of the photograph's face in a frame."""
    row, column, factor = face
    return np.array([row + (FACE[0] - PART[0]) * factor, column + (FACE[1] - PART[1]) * factor, FACE[2] * factor])


@pytest.fixture(scope="module")
def grey():
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)


def test_native_large_faces_are_clean_and_native_small_ones_captures(project, capsys):
    """Both classes come from the same frames, each face at its place and at its own resolution."""
    clip("photos/both.avi", 9, [LARGE, SMALL])
    clip("photos/large.avi", 4, [LARGE])
    whole = run("whole", video_every=4)
    clean, captures = run("clean", video_every=4, faces=[100, 400]), run("captures", video_every=4, faces=[32, 90])
    assert names("clean")["train"] == ["both#000000#0", "both#000004#0", "both#000008#0", "large#000000#0"]
    assert names("captures")["train"] == ["both#000000#0", "both#000004#0", "both#000008#0"]
    frame = Shard("data/sets/whole/train")[0]
    for key, face in (("clean", LARGE), ("captures", SMALL)):
        crop = Shard(f"data/sets/{key}/train")[0]
        assert crop.shape[0] == crop.shape[1]
        unlike = cv2.matchTemplate(frame, crop, cv2.TM_SQDIFF) / crop.size  # by Fourier transforms, so a little off
        found = [(row, column) for row, column in np.argwhere(unlike < 1)
                 if np.array_equal(frame[row : row + crop.shape[0], column : column + crop.shape[1]], crop)]
        assert len(found) == 1  # pixels as they are in the frame
        top, left, side = place(face)
        assert abs(crop.shape[0] / (1.3 * side) - 1) < 0.3
        assert np.abs(np.array(found[0]) + crop.shape[0] / 2 - (top + side / 2, left + side / 2)).max() < 0.15 * side
    assert clean["faces"] == {"searched": 4, "without": 0, "kept": 4, "too_small": 3, "too_large": 0}
    assert captures["faces"] == {"searched": 4, "without": 0, "kept": 3, "too_small": 0, "too_large": 4}
    assert whole["video"] == clean["video"] == {"files": 2, "frames": 4}
    assert clean["params"]["faces"] == [100, 400] and clean["params"]["face_margin"] == 0.15
    said = capsys.readouterr().out
    assert "clean: video: 2 files, 4 frames" in said and "captures: faces: 4 searched, 0 without, 3 kept, " in said


def test_frames_without_faces_yield_none(project):
    clip("photos/a.avi", 4, [LARGE])
    clip("photos/b.avi", 6)
    manifest = run(video_every=2, faces=[90, 300])
    assert names()["train"] == ["a#000000#0", "a#000002#0"]
    assert manifest["faces"] == {"searched": 5, "without": 3, "kept": 2, "too_small": 0, "too_large": 0}
    assert manifest["splits"]["train"] == {"images": 2, "scenes": ["a"]}


def test_a_class_that_no_face_is_of_is_refused(project):
    clip("photos/a.avi", 4, [LARGE])
    wanted = "sets.mine.faces: none of 2 faces in 2 images makes a crop of 30 to 40 pixels"
    assert refused(video_every=2, faces=[30, 40]) == wanted


def test_a_crop_stays_in_the_picture():
    from collections import Counter

    from pipeline.images.faces import crop_faces
    photograph, tally = data.astronaut(), Counter()
    corner = photograph[62:, 170:]  # the face is in its first rows and columns
    crop, = crop_faces(corner, (80, 200), 0.3, 5, tally)
    assert tally["kept"] == 1 and crop.shape[0] == crop.shape[1] > 1.3 * FACE[2]
    assert np.array_equal(crop, corner[: len(crop), : len(crop)])
    corner = photograph[:168, :276]
    crop, = crop_faces(corner, (80, 200), 0.3, 5, tally)
    assert np.array_equal(crop, corner[-len(crop) :, -len(crop) :])
    assert crop_faces(corner, (80, 400), 0.9, 5, tally) == [] and tally["too_large"] == 1  # than the picture


def test_the_windows_are_those_of_scikit_images_classifier(grey):
    """At the cascade's own size, where that one rounds no feature."""
    small = cv2.resize(grey, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    found = Cascade(data.lbp_frontal_face_cascade_filename()).detect_multi_scale(
        small, 1.2, 1, (24, 24), (25, 25), min_neighbor_number=1, intersection_score_threshold=0.9999)
    wanted = sorted((box["r"], box["c"]) for box in found)
    assert len(wanted) > 3 and sorted(map(tuple, faces.search_windows(small).tolist())) == wanted


@pytest.mark.parametrize("factor", [0.4, 0.7, 1, 1.6])
def test_a_face_is_found_at_its_size(grey, factor):
    picture = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    top, left, side = np.array(FACE) * factor
    boxes = np.array(faces.find_faces(picture, 24, 5))
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    near = boxes[np.abs(middles - (top + side / 2, left + side / 2)).max(1) < 0.2 * side]
    assert len(near) == 1 and abs(near[0][2] / side - 1) < 0.35


def test_a_face_is_seen_alike_in_all_corners_of_a_large_frame(grey):
    """Where scikit-image's single-precision sums miss it at the lower right."""
    top, left, tall, wide = PART
    face = cv2.resize(grey[top : top + tall, left : left + wide], None, fx=0.27, fy=0.27, interpolation=cv2.INTER_AREA)
    frame, places = np.full((1080, 1920), 180, np.uint8), [(100, 100), (500, 901), (980, 1800)]
    for row, column in places:
        frame[row : row + face.shape[0], column : column + face.shape[1]] = face
    found = faces.search_windows(frame)
    near = [sorted(map(tuple, found[(np.abs(found - place) < 60).all(1)] - place)) for place in places]
    assert near[0] == near[1] == near[2] and len(near[0]) > 2


def test_plain_areas_hold_no_face():
    assert faces.find_faces(np.full((90, 130), 99, np.uint8), 24, 1) == []
    assert faces.find_faces(np.full((20, 130), 99, np.uint8), 24, 1) == []


def test_a_class_of_faces_has_two_sides(project):
    clip("photos/clip.avi", 2, height=48, width=64)
    assert "faces: got [90], wanted [least, largest]" in refused(faces=[90])
    assert "faces: got [90, 30], wanted [least, largest]" in refused(faces=[90, 30])
    assert "patches: got 4, wanted 0 with faces" in refused(faces=[30, 90], patches=4)
