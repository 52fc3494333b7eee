"""Scores of other systems in late fusion: files, order of classes, margins, weights, complaints."""

import numpy as np
import pytest
from small_runs import content

from rstan_lite.cli import main
from rstan_lite.lab.scores import (
    are_probabilities,
    fuse,
    normalise,
    read_predictions,
    read_scores,
    write_csv,
)
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.training import run_folder as runs
from rstan_lite.training.run_folder import Predictions, write_predictions

CLASSES = ("run", "sit", "walk")
NAMES = ("a", "b (1)", "c!", "d")
HELD = ("e", "f (1)", "g!", "h")  # names of the validation clips
LABELS = np.array([0, 1, 2, 0])


@pytest.fixture
def run(tmp_path):
    """A run that names the first three test clips rightly, and no validation clip."""
    folder = tmp_path / "run"
    for part, names, right in (("test", NAMES, [0, 1, 2, 1]), ("validation", HELD, [1, 2, 0, 1])):
        scores = np.full((4, 3), 0.3, np.float32)
        scores[range(4), right] = 0.4
        found = Predictions(names, LABELS, scores, CLASSES)
        write_predictions(folder / runs.PREDICTIONS[part], found)
    return folder


def margins(path, right=LABELS, order=(2, 0, 1), names=NAMES, size=1.0):
    """A CSV of margins as of an SVM, columns in another order of the classes."""
    scores = np.full((len(names), 3), -size, np.float32)
    scores[range(len(names)), right] = 0.5 * size
    classes = tuple(CLASSES[i] for i in order)
    write_csv(path, Predictions(tuple(names), right, scores[:, order], classes))
    return path


def test_columns_are_matched_by_class_and_rows_by_clip(run, tmp_path):
    path = margins(tmp_path / "idt.csv", LABELS[::-1], names=NAMES[::-1])
    assert path.read_text(encoding="utf-8").splitlines()[0] == "clip,walk,run,sit"
    fused = fuse([run, path])
    by_hand = np.full((4, 3), -1.0)
    by_hand[range(4), LABELS] = 0.5
    by_hand = np.exp(by_hand) / np.exp(by_hand).sum(1, keepdims=True)  # softmax of the margins
    first = read_scores(run).scores
    np.testing.assert_allclose(fused.predictions.scores, (first + by_hand) / 2, atol=1e-6)
    assert fused.predictions.classes == CLASSES
    assert fused.predictions.labels.tolist() == LABELS.tolist()  # the CSV has none
    assert fused.scores == ("probabilities", "softmax")
    assert fused.accuracy == 1.0
    turned = fuse([path, run])  # the other way round: the CSV's order, the same answers
    assert turned.predictions.classes == ("walk", "run", "sit")
    assert turned.predictions.labels.tolist() == [1, 0, 2, 1]
    assert turned.accuracy == 1.0


def test_an_npz_without_labels_is_scores_of_a_system(run, tmp_path):
    file = tmp_path / "other.npz"
    scores = np.eye(3, dtype=np.float32)[LABELS]
    np.savez(file, names=np.array(NAMES), scores=scores, classes=np.array(CLASSES))
    assert fuse([run, file]).scores == ("probabilities", "probabilities")
    with pytest.raises(CheckpointError, match="no label of a in any source"):
        fuse([file, file])
    np.savez(file, names=NAMES, scores=scores, classes=CLASSES, labels=LABELS[::-1])
    with pytest.raises(CheckpointError, match="another label of b"):
        fuse([run, file])
    with pytest.raises(CheckpointError, match="finished run"):
        fuse([run, tmp_path / "absent"])


def test_weights_are_chosen_on_validation_and_ties_go_to_equal_ones(tmp_path):
    def system(name, test, validation):
        for part, first in (("test", test), ("validation", validation)):
            scores = np.array([[s, 1 - s] for s in first], dtype=np.float32)
            names = tuple(f"{part} {i}" for i in range(4))
            found = Predictions(names, np.array([0, 1, 0, 1]), scores, ("run", "walk"))
            write_predictions(tmp_path / name / runs.PREDICTIONS[part], found)
        return tmp_path / name

    one = system("one", [0.9, 0.1, 0.9, 0.1], [0.7, 0.3, 0.7, 0.3])
    wrong = system("wrong", [0.0] * 4, [0.0, 1.0, 0.0, 1.0])
    # 0.7 w beats 0.5 only from w = 8/10 on; 0.8 is the least uneven of those
    assert fuse([one, wrong], "validation").weights == (0.8, 0.2)
    same = system("same", [0.9, 0.1, 0.9, 0.1], [0.7, 0.3, 0.7, 0.3])
    assert fuse([one, same], "validation").weights == (0.5, 0.5)


def test_weights_and_normalisation_are_chosen_on_the_validation_file_beside(run, tmp_path):
    path = margins(tmp_path / "idt_test.csv", [1, 2, 0, 1])  # always wrong in the test
    with pytest.raises(CheckpointError, match=r"idt_validation\.csv.*no such file"):
        fuse([run, path], "validation")
    beside = tmp_path / "idt_validation.csv"
    margins(beside, LABELS, names=HELD, size=0.05)  # always right, with small margins
    fused = fuse([run, path], "validation", "validation")
    assert fused.validation_accuracy == 1.0
    assert fused.scores[1] == "softmax"  # the first of those that are as good
    assert fused.weights[1] > 0.5  # small margins: an even softmax, which needs weight
    standardised = fuse([run, path], "validation", "standardise")
    assert standardised.weights == (0.5, 0.5)  # brought to one size, equal weights do
    assert standardised.accuracy == 0.0  # validation chose; that the test disagrees changes nothing


def test_validation_and_test_scores_are_two_parts_of_one_system(run, tmp_path):
    path, beside = margins(tmp_path / "idt_test.csv"), tmp_path / "idt_validation.csv"
    write_csv(beside, Predictions(HELD, LABELS, np.eye(3, dtype=np.float32)[LABELS], CLASSES))
    with pytest.raises(CheckpointError, match="probabilities in one part alone"):
        fuse([run, path], "validation")
    found = Predictions(NAMES, LABELS, np.eye(3, dtype=np.float32)[LABELS], CLASSES)
    for folder in (run, tmp_path / "other"):
        for part in ("test", "validation"):
            write_predictions(folder / runs.PREDICTIONS[part], found)
    with pytest.raises(CheckpointError, match="4 clips both in the validation and in the test"):
        fuse([run, tmp_path / "other"], "validation")


def test_given_weights_are_brought_to_a_sum_of_one_and_recorded(run, tmp_path, capsys):
    path = margins(tmp_path / "idt.csv")
    command = ["fuse", str(run), str(path), "--out", str(tmp_path / "out")]
    assert main([*command, "--weights", "1.4", "0.6", "--normalise", "standardise"]) == 0
    said = capsys.readouterr().out
    assert "0.70" in said
    assert "(standardise)" in said
    metrics = content(tmp_path / "out" / "metrics.json")
    assert metrics["weights"] == pytest.approx([0.7, 0.3])
    assert metrics["weights_from"] == "given"
    assert (metrics["test_accuracy"], metrics["per_class"]["run"]) == (1.0, 1.0)
    assert read_predictions(tmp_path / "out" / "predictions.npz").names == NAMES
    assert metrics["scores"] == ["probabilities", "standardise"]
    assert main([*command, "--weights", "0.7", "best"]) == 2
    assert "'0.7 best'" in capsys.readouterr().err


def test_missing_and_extra_clips_are_refused_or_left_out_by_name(run, tmp_path):
    path = margins(tmp_path / "idt.csv", [0, 1, 0], names=("d", "b (1)", "new"))
    with pytest.raises(CheckpointError, match=r"another system lacks: a, c!.*--clips common"):
        fuse([run, path])
    fused = fuse([run, path], clips="common")
    assert fused.predictions.names == ("b (1)", "d")
    assert fused.predictions.labels.tolist() == [1, 0]
    assert fused.left_out == {str(run): ("a", "c!"), str(path): ("new",)}
    none = margins(tmp_path / "none.csv", [0], names=("new",))
    with pytest.raises(CheckpointError, match="no test clip of"):
        fuse([run, none], clips="common")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clip,run,sit,walk\na,1,2,nan\n", "a score of a that is not finite"),
        ("clip,run,sit,walk\na,1,2\n", "could not convert"),
        ("clip,run,sit,walk\na,1,2,3\na,1,2,3\n", "the clip a twice"),
        ("clip,run,run,walk\na,1,2,3\n", "the class run twice"),
        ("name,run,sit\na,1,2\n", "the header 'name'"),
        ("", "No columns"),
        ("clip,run,sit\na,1,2\n", "classes"),
    ],
)
def test_a_bad_csv_is_named(run, tmp_path, text, words):
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=words) as caught:
        fuse([run, path])
    assert str(path) in str(caught.value)


def test_a_bad_npz_is_named_with_its_clip(run, tmp_path):
    path = tmp_path / "bad.npz"
    scores = np.zeros((4, 3), np.float32)
    scores[2, 1] = np.inf
    arrays = {"names": np.array(NAMES), "scores": scores, "classes": np.array(CLASSES)}
    np.savez(path, **arrays)
    with pytest.raises(CheckpointError, match=r"a score of c! that is not finite"):
        fuse([run, path])
    np.savez(path, **{**arrays, "labels": np.array([0, 1, 2, 3])})
    with pytest.raises(CheckpointError, match="labels from 0 to 3"):
        fuse([run, path])
    np.savez(path, names=np.array(NAMES), classes=np.array(CLASSES))
    with pytest.raises(CheckpointError, match="no array scores"):
        fuse([run, path])


def test_normalised_rows_are_probabilities_that_keep_the_order():
    scores = np.random.default_rng(0).normal(0, 40, (20, 5)).astype(np.float32)
    assert not are_probabilities(scores)
    for how in ("softmax", "standardise"):
        found = normalise(scores, how)
        assert are_probabilities(found)
        np.testing.assert_array_equal(found.argmax(1), scores.argmax(1))
    np.testing.assert_allclose(  # neither size nor offset of margins plays a part
        normalise(scores, "standardise"), normalise(0.01 * scores + 3, "standardise"), atol=1e-5
    )
    np.testing.assert_allclose(normalise(np.ones((1, 4)), "standardise"), 0.25)
    np.testing.assert_array_equal(normalise(scores, "none"), scores)


def test_bad_requests_are_named(run):
    one, file = run, run / runs.PREDICTIONS["test"]
    for sources, how, words in (
        ([one], "equal", "two runs"),
        ([one, one], "best", "equal, validation"),
        ([one, file], [0.7], "2 numbers"),
        ([one, file], [0.7, -0.3], "2 numbers"),
        ([one, file], [0.0, 0.0], "not all 0"),
        ([one, file], [0.7, float("nan")], "0.7 nan"),
        ([one, file.with_suffix(".txt")], "equal", r"\.csv"),
        ([one] * 7, "validation", "at most 6"),
    ):
        with pytest.raises(ConfigError, match=words):
            fuse(sources, how)
    for options, words in (({"scores": "log"}, "standardise"), ({"clips": "all"}, "same, common")):
        with pytest.raises(ConfigError, match=words):
            fuse([one, file], **options)


def as_text(kind):
    """The scores of a CSV as spreadsheets and other programs write them."""
    scores = np.array([[0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.25, 0.25, 0.5], [0.4, 0.4, 0.2]])
    rows = [["clip", *CLASSES]]
    percent, sign = (100, "%") if kind == "per cent" else (1, "")
    for name, row in zip(NAMES, scores, strict=True):
        name = {"endings": f"{name}.avi", "classes": f"run/{name}.MP4"}.get(kind, name)
        rows.append([name, *(f"{percent * x:.2f}{sign}" for x in row)])
    separator = {"tabs": "\t", "quotes": ";"}.get(kind, ";" if "semi" in kind else ",")
    if kind == "quotes":
        rows = [[f'"{cell}"' for cell in row] for row in rows]
    text = "\n".join(separator.join(row) for row in rows) + "\n"
    if kind in ("semicolons", "tabs"):
        text = text.replace(".", ",")
    if kind == "semicolons":
        text = f"sep=;\n{text};;;\n".replace("clip", "Clip")  # as Excel leaves it
    return (b"\xef\xbb\xbf" if kind == "mark" else b"") + text.encode(), scores


@pytest.mark.parametrize(
    "kind",
    [
        "plain",
        "mark",
        "semicolons",
        "semicolons, points",
        "per cent",
        "endings",
        "classes",
        "tabs",
        "quotes",
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".CSV"])
def test_scores_as_spreadsheets_and_other_programs_write_them(run, tmp_path, kind, ending):
    content, scores = as_text(kind)
    path = tmp_path / f"svm_test{ending}"
    path.write_bytes(content)
    found = read_scores(path)
    assert (found.names, found.classes) == (NAMES, CLASSES)
    np.testing.assert_allclose(found.scores, scores, atol=1e-6)
    assert are_probabilities(found.scores)
    assert fuse([run, path]).predictions.names == NAMES


@pytest.mark.parametrize("classes", [(";;",), ("a;b", "c;d", ";"), ("\t\t", '"'), (",", ",,")])
def test_separators_may_stand_in_the_names_of_classes(tmp_path, classes):
    given = Predictions(NAMES[:1], np.array([-1]), np.zeros((1, len(classes)), "f"), classes)
    write_csv(tmp_path / "s.csv", given)
    assert read_scores(tmp_path / "s.csv").classes == classes


@pytest.mark.parametrize(("unit", "sign"), [(100, "%"), (100, ""), (1, "")])
def test_rounded_shares_are_no_logits(tmp_path, unit, sign):
    """Rows of whole per cent, or of two decimals, do not sum to one; logits rarely come near."""
    scores = np.array([[1 / 3] * 3, [0.166, 0.417, 0.417], [0.2, 0.7, 0.1]])
    rounded = np.round(unit * scores, 0 if unit == 100 else 2)
    rows = [["clip", *CLASSES]]
    rows += [[n, *(f"{x:g}{sign}" for x in r)] for n, r in zip(NAMES[:3], rounded, strict=True)]
    (tmp_path / "s.csv").write_text("\n".join(map(",".join, rows)), encoding="utf-8")
    found = read_scores(tmp_path / "s.csv").scores
    assert are_probabilities(found)
    np.testing.assert_allclose(found, scores, atol=0.011)
    logits = np.float32([[2.0, 0.5, 0.1], [0.4, 0.3, 0.3], [5.0, 1.0, 0.0]])
    np.savez(tmp_path / "logits.npz", names=NAMES[:3], scores=logits, classes=CLASSES)
    np.testing.assert_array_equal(read_scores(tmp_path / "logits.npz").scores, logits)


def test_arrays_of_other_programs_are_told_what_is_needed(tmp_path):
    path = tmp_path / "tsn.npz"
    scores = np.empty(4, object)
    scores[:] = [np.zeros((25, 3))] * 4
    for arrays in ({"scores": scores, "labels": LABELS}, {"scores": np.zeros((4, 3))}):
        np.savez(path, **arrays)
        with pytest.raises(
            CheckpointError, match=r"names .*scores .*classes.*Make them by np.savez"
        ):
            read_scores(path)
