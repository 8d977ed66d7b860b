"""Tests of stored pictures: reasons why images have none, and names of classes."""

from heatmark.benchmarks.tables.pictures import NONE_STORED, Gallery, class_name, missing

GALLERY = Gallery({"a.png": b"", "b.png": b""}, {}, ("tench, Tinca tinca", "goldfish"))


def test_reasons_why_images_have_no_picture() -> None:
    assert missing(None, {"a.png"}) == NONE_STORED
    assert missing(GALLERY, {"a.png", "b.png"}) == ""
    assert missing(GALLERY, {"b.png", "c.png", "d.png"}) == (
        "2 of 3 images have no picture; the run keeps only the first 2"
    )


def test_a_class_has_the_first_of_its_names_or_its_number() -> None:
    assert [class_name(GALLERY, target) for target in ("0", "1", "2")] == ["tench", "goldfish", "class 2"]
