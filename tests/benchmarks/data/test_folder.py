"""Folders of pictures: every way to label them, every mode of file, and broken files."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from heatmark.benchmarks.data import pictures
from heatmark.benchmarks.data.folder import Folder, imagenet_numbers
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing

SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "imagenet-sample"


def save(
    path: Path, colour: object = (10, 200, 30), mode: str = "RGB", size: tuple[int, int] = (8, 6), **options
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)


def names_and_labels(folder: Folder) -> list[tuple[str, int | str | None]]:
    return [(folder[i].name, folder[i].label) for i in range(len(folder))]


def test_plain_files_are_sorted_and_unlabelled(tmp_path: Path) -> None:
    for name in ("b.png", "a.PNG", ".hidden.png", "notes.txt"):
        save(tmp_path / name, format="PNG")
    folder = Folder(str(tmp_path))
    assert names_and_labels(folder) == [("a.PNG", None), ("b.png", None)]
    assert folder.name == tmp_path.name


def test_class_folders_and_limit(tmp_path: Path) -> None:
    for name in ("dog/2.png", "cat/1.png", "cat/deep/0.png", "7/x.png"):
        save(tmp_path / name)
    expected = [("7/x.png", 7), ("cat/1.png", "cat"), ("cat/deep/0.png", "cat"), ("dog/2.png", "dog")]
    assert names_and_labels(Folder(str(tmp_path))) == expected
    assert names_and_labels(Folder(str(tmp_path), limit=2)) == expected[:2]


def test_folders_that_are_links_are_read(tmp_path: Path) -> None:
    (tmp_path / "real" / "cat").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "real" / "cat" / "a.png")
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "cat").symlink_to(tmp_path / "real" / "cat")
    assert [(s.name, s.label) for s in map(Folder(str(tmp_path / "some")).__getitem__, [0])] == [("cat/a.png", "cat")]


def test_a_synset_before_the_label_in_the_file_name(tmp_path: Path) -> None:
    save(tmp_path / "n02027492_red-backed_sandpiper.JPEG")
    assert Folder(str(tmp_path))[0].label == "red-backed_sandpiper"


def test_all_synsets_of_imagenet_are_numbered_in_sorted_order() -> None:
    synsets = {f"n{i:08d}" for i in range(1000)}
    assert imagenet_numbers(synsets)["n00000042"] == 42
    assert imagenet_numbers(synsets - {"n00000042"}) == {}


def test_a_label_file_lists_the_pictures(tmp_path: Path) -> None:
    for name in ("x.png", "y.png", "sub/z.png", "unlisted.png"):
        save(tmp_path / name)
    (tmp_path / "labels.csv").write_text("\ufefffile,label\ny.png,3\nx.png,tabby cat\nsub/z.png,\n", encoding="utf-8")
    assert names_and_labels(Folder(str(tmp_path))) == [("sub/z.png", None), ("x.png", "tabby cat"), ("y.png", 3)]
    (tmp_path / "other.csv").write_text("label,file\n1,x.png\n")
    assert names_and_labels(Folder(str(tmp_path), labels="other.csv")) == [("x.png", 1)]


def test_a_label_file_says_which_pictures_belong_together(tmp_path: Path) -> None:
    for name in ("x.png", "y.png", "z.png"):
        save(tmp_path / name)
    (tmp_path / "labels.csv").write_text("group,file,label,width,labels\np7,y.png,3,8,\n,x.png,,8,1\n p7 ,z.png,,,\n")
    folder = Folder(str(tmp_path))
    assert [(s.name, s.label, s.group) for s in map(folder.__getitem__, range(3))] == [
        ("x.png", None, None), ("y.png", 3, "p7"), ("z.png", None, "p7"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("LA", (77, 255), (77, 77, 77)),
        ("RGBA", (10, 200, 30, 255), (10, 200, 30)),
        ("RGBA", (10, 200, 30, 0), (255, 255, 255)),
        ("P", 0, (0, 0, 0)),
    ],
)
def test_modes_become_rgb(tmp_path: Path, mode: str, colour: object, expected: tuple[int, int, int]) -> None:
    save(tmp_path / "p.png", colour, mode)
    picture = Folder(str(tmp_path))[0].image
    assert picture.mode == "RGB"
    assert picture.getpixel((3, 3)) == expected


@pytest.mark.parametrize(("mode", "suffix"), [("I;16", "png"), ("I;16", "tif"), ("I", "tif"), ("F", "tif")])
def test_grey_of_more_than_8_bits_is_refused(tmp_path: Path, mode: str, suffix: str) -> None:
    save(tmp_path / f"scan.{suffix}", 4095, mode)  # white, in 12 bits
    message = broken(Folder(str(tmp_path)))
    assert f"scan.{suffix}: its mode is {mode!r}" in message
    assert "convert it to 8 bits with a window of your own" in message


@pytest.mark.parametrize(("kind", "channels", "mode"), [(2, 3, "RGB"), (6, 4, "RGBA"), (4, 2, "RGBA")])
def test_colour_of_16_bits_is_refused(tmp_path: Path, kind: int, channels: int, mode: str) -> None:
    rows = np.full((6, 1 + 2 * channels * 8), 0x0F, dtype=np.uint8)  # 12 bits in 16, stored by hand: Pillow cannot
    rows[:, 0] = 0
    header = struct.pack(">IIBBBBB", 8, 6, 16, kind, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts]
    (tmp_path / "scan.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    message = broken(Folder(str(tmp_path)))
    assert f"scan.png: its mode is {mode!r} of more than 8 bits" in message
    assert "convert it to 8 bits with a window of your own" in message


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    save(tmp_path / "p.tif", (255, 0, 0, 0), "CMYK")
    assert Folder(str(tmp_path))[0].image.getpixel((3, 3)) == (0, 255, 255)


def test_exif_turns_the_picture_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the scene is on the right of the stored rows
    stored = np.zeros((6, 8, 3), dtype=np.uint8)
    stored[:, -2:] = 255
    Image.fromarray(stored).save(tmp_path / "p.png", exif=exif)
    picture = Folder(str(tmp_path))[0].image
    assert picture.size == (6, 8)
    assert np.asarray(picture)[-2:].min() == 255
    assert np.asarray(picture)[:-2].max() == 0


def broken(folder: Folder) -> str:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the callers look at the message
        folder[0]
    return str(error.value)


def test_a_truncated_picture_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(256, size=(60, 60, 3), dtype=np.uint8)
    for name in ("cut.jpg", "cut.png"):
        Image.fromarray(noise).save(tmp_path / name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        assert name in broken(Folder(str(tmp_path)))
        (tmp_path / name).unlink()


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40])
def test_a_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.png").write_bytes(content)
    message = broken(Folder(str(tmp_path)))
    assert "p.png" in message
    assert "\n" not in message


def test_a_listed_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\ngone.png,3\n")
    assert "gone.png" in broken(Folder(str(tmp_path)))


def test_a_broken_picture_has_its_name(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "a.png")
    (tmp_path / "cat" / "b.png").write_bytes(b"no picture")
    folder = Folder(str(tmp_path))
    assert [folder.name_of(0), folder.name_of(1)] == [folder[0].name, "cat/b.png"]


def test_the_reason_of_a_broken_picture_is_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(b"no picture")
    assert (
        broken(Folder(str(tmp_path)))
        == f"cannot read the picture {tmp_path / 'p.png'}: it is no picture of a known format"
    )


def test_a_digest_is_of_the_files_bytes_and_of_how_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "cat" / "a.png")
    save(tmp_path / "dog" / "same.png")
    save(tmp_path / "x.bmp")  # the same pixels in other bytes
    same, moved, other = (sample.digest for sample in map(Folder(str(tmp_path)).__getitem__, range(3)))
    assert same == moved
    assert same != other
    assert len(same) == 32
    monkeypatch.setattr(pictures, "DECODING", pictures.DECODING + 1)
    assert Folder(str(tmp_path))[0].digest != same


def test_a_missing_or_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere does not exist"):
        Folder(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="no pictures in"):
        Folder(str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file is not a folder"):
        Folder(str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected the header line file,label"),
        (b"name;class\nx.png;1\n", "expected the header line file,label"),
        (b"file,label\n", "lists no picture"),
        (b"file,label\nx.png,1\nx.png,2\n", "labels.csv, line 3: x.png twice"),
        (b"file,label\n,1\n", "labels.csv, line 2: no file"),
        (b"file,label\n\nx.png,great white shark, white shark\n", "line 3: more than the 2 cells of the header"),
        (b"file,label,Patient_ID\nx.png,1,p\n", "labels.csv, line 1: call the column 'Patient_ID' group"),
        (b"file,label,groups\nx.png,1,p\n", "labels.csv, line 1: unknown column 'groups'; did you mean group"),
        (b"file,lable\nx.png,1\n", "line 1: unknown column 'lable'; did you mean label"),
        (b"file, label\nx.png,1\n", "line 1: unknown column ' label'; did you mean label"),
        (b"file,label,Group\nx.png,1,p\n", "unknown column 'Group'; did you mean group"),
        (b"file,label\n\xff\xfe.png,1\n", "cannot read the label file"),
        (b'file,label\n"x.png,1\n', "cannot read the label file"),
    ],
)
def test_a_broken_label_file_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    save(tmp_path / "x.png")
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(ValueError, match=words) as error:
        Folder(str(tmp_path))
    assert "labels.csv" in str(error.value)


def test_a_missing_label_file_is_named(tmp_path: Path) -> None:
    save(tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"mine\.csv"):
        Folder(str(tmp_path), labels="mine.csv")


@pytest.mark.parametrize("limit", [0, -1, "3"])
def test_a_wrong_limit_is_named(tmp_path: Path, limit) -> None:
    save(tmp_path / "x.png")
    with pytest.raises(ValueError, match="limit"):
        Folder(str(tmp_path), limit=limit)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the ImageNet sample lies in ../shared/data, which is absent")
def test_imagenet_sample_names_find_their_classes() -> None:
    """The files are every tenth class in synset order: labels 0, 10, …, 990 by torchvision's names."""
    from torchvision.models import SqueezeNet1_1_Weights

    names = SqueezeNet1_1_Weights.DEFAULT.meta["categories"]
    classifier = Classifier("squeezenet1_1", nn.Identity(), "-", Preprocessing(), classes=names)
    folder = Folder(str(SAMPLE))
    assert [classifier.class_index(folder[i].label) for i in range(len(folder))] == list(range(0, 1000, 10))
