import pytest

from pipeline.images.splits import SplitError, match, name_images, scene_of, split, stem_of

WHERE = "sets.mine"


@pytest.mark.parametrize("pattern, stem, name", [
    ("**", "a/b/001", "a/b/001"),
    ("**", "001", "001"),
    ("*", "001", "001"),
    ("*", "a/001", None),
    ("*/capture/*", "train/capture/001", "train/001"),
    ("*/capture/*", "train/truth/001", None),
    ("*/capture/*", "x/train/capture/001", None),
    ("*/Test/4/*_LR4", "Canon/Test/4/Canon_001_LR4", "Canon/Canon_001"),
    ("*/Test/4/*_LR4", "Canon/Test/4/Canon_001_HR", None),
    ("val/*/*", "val/capture/001", "capture/001"),
    ("**/capture/*", "a/b/capture/7", "a/b/7"),
    ("**/capture/*", "capture/7", "7"),
    ("train/**", "train/a/b", "a/b"),
    ("only", "only", "only"),
    ("a.b[1]*", "a.b[1]x (2)", "x (2)"),
    ("a.b", "aXb", None),
    ("*_LR4", "_LR4", "_LR4"),
    ("**", "füße/naïve\nname", "füße/naïve\nname"),
])
def test_match(pattern, stem, name):
    assert match(pattern, stem) == name


@pytest.mark.parametrize("path, stem", [("a.png", "a"), ("a.b/c", "a.b/c"), ("a.b/c.tar.png", "a.b/c.tar"), ("a", "a")])
def test_stem(path, stem):
    assert stem_of(path) == stem


def test_names_are_sorted_and_point_at_their_files():
    names = name_images(["b/capture/1.png", "a/capture/2.jpg", "a/truth/2.jpg"], "*/capture/*", WHERE)
    assert list(names.items()) == [("a/2", "a/capture/2.jpg"), ("b/1", "b/capture/1.png")]


def test_two_files_of_one_name():
    with pytest.raises(SplitError, match="sets.mine.include: 'a.jpg' and 'a.png' would both be named 'a'"):
        name_images(["a.jpg", "a.png"], "**", WHERE)


def test_views_are_further_names_of_a_file():
    assert name_images(["b.png", "a.png"], "*", WHERE, ("/1", "/2")) == {
        "a/1": "a.png", "a/2": "a.png", "b/1": "b.png", "b/2": "b.png"}
    with pytest.raises(SplitError, match="'a.png' and 'a1.png' would both be named 'a12'"):
        name_images(["a.png", "a1.png"], "*", WHERE, ("12", "2"))
    with pytest.raises(SplitError, match="'a.png' and 'a.png' would both be named 'a1'"):
        name_images(["a.png"], "*", WHERE, ("1", "1"))


def test_scene():
    assert scene_of("deadleaves-03_1", "(.*)_[0-9]+", WHERE) == "deadleaves-03"
    assert scene_of("a/b_c_12", "(.*)_[0-9]+", WHERE) == "a/b_c"
    for name in ("deadleaves-03", "x_1b"):
        with pytest.raises(SplitError, match=f"sets.mine.scene.*'{name}'"):
            scene_of(name, "(.*)_[0-9]+", WHERE)


def splits_of(count, val=0.0, test=0.0, holdout=0.0, views=1, folder=""):
    paths = {f"s{k}_{v}": f"{folder}s{k}_{v}.png" for k in range(count) for v in range(views)}
    scenes = {name: name.split("_")[0] for name in paths}
    return scenes, split(paths, scenes, {"val": val, "test": test, "holdout": holdout}, WHERE)


def count(parts):
    return [list(parts.values()).count(part) for part in ("train", "val", "test", "holdout")]


@pytest.mark.parametrize("total, shares, wanted", [
    (10, (0.1, 0.2, 0.0), [7, 1, 2, 0]),
    (100, (0.06, 0.15, 0.15), [64, 6, 15, 15]),
    (16, (0.1, 0, 0), [14, 2, 0, 0]),
    (5, (0.01, 0.01, 0.01), [2, 1, 1, 1]),  # at least one each
    (3, (0.01, 0.01, 0.01), [1, 1, 1, 0]),  # while train keeps one
    (1, (0.1, 0.2, 0.0), [1, 0, 0, 0]),
    (3, (0.5, 0.5, 0.0), [0, 2, 1, 0]),
    (4, (0.0, 0.0, 0.0), [4, 0, 0, 0]),
])
def test_shares_are_rounded_counts_of_scenes(total, shares, wanted):
    _, parts = splits_of(total, *shares)
    assert count(parts) == wanted


def test_views_of_a_scene_stay_together():
    scenes, parts = splits_of(20, 0.2, 0.2, 0.2, views=3)
    assert count(parts) == [24, 12, 12, 12]
    for scene in set(scenes.values()):
        assert len({parts[name] for name in parts if scenes[name] == scene}) == 1


def test_captures_and_truth_split_alike_and_not_in_the_order_of_names():
    _, captures = splits_of(20, 0.1, 0.3, folder="capture/")
    _, truth = splits_of(20, 0.1, 0.3, folder="truth/")
    assert captures == truth
    assert sorted(captures) != sorted(captures, key=lambda name: captures[name])


def test_patterns_claim_first_and_shares_count_what_is_left():
    names = [f"train/{k}" for k in range(10)] + [f"val/{k}" for k in range(4)]
    paths = {name: name.replace("/", "/capture/") + ".png" for name in names}
    parts = split(paths, {name: name for name in paths}, {"val": 0.2, "test": "val/*/*", "holdout": 0.1}, WHERE)
    assert count(parts) == [7, 2, 4, 1]
    assert all((parts[name] == "test") == name.startswith("val/") for name in paths)


def test_a_pattern_may_claim_everything():
    _, parts = splits_of(4, 0.0, "**")
    assert count(parts) == [0, 0, 4, 0]


def test_a_scene_in_two_splits_is_named_with_both_files():
    paths = {"a_1": "train/a_1.png", "a_2": "test/a_2.png"}
    for claims in ({"val": 0, "test": "test/*", "holdout": 0}, {"val": "train/*", "test": "test/*", "holdout": 0}):
        with pytest.raises(SplitError, match="sets.mine: scene 'a'.*'train/a_1.png'.*'test/a_2.png'"):
            split(paths, {"a_1": "a", "a_2": "a"}, claims, WHERE)


def test_a_path_claimed_twice():
    with pytest.raises(SplitError, match="sets.mine: 'x/a.png' is claimed by both val and test"):
        split({"a": "x/a.png"}, {"a": "a"}, {"val": "x/*", "test": "**", "holdout": 0}, WHERE)


def test_shares_beyond_one():
    with pytest.raises(SplitError, match="sets.mine: the shares val 0.6, test 0.6 add up to more than 1"):
        splits_of(4, 0.6, 0.6)


def test_a_pattern_that_claims_nothing():
    paths = {"1": "train/1.png", "2": "train/2.png"}
    with pytest.raises(SplitError, match=r"sets.mine.val: the pattern 'train/\[12\]' matches no file, such as 'train/1.png'"):
        split(paths, {"1": "1", "2": "2"}, {"val": "train/[12]", "test": 0, "holdout": 0.5}, WHERE)
