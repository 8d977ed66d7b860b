import pytest

from heatmark.benchmarks.runs.paths import Paths

KNOWN = Paths([{"root": "/my pictures/a b", "words": ["dataset.root=/x y/z"], "share": 1.5, "up": "/"}])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cannot read /my pictures/a b/c.png: gone", "cannot read c.png: gone"),
        ("/my pictures/a b", "a b"),
        ("dataset.root=/x y/z", "dataset.root=z"),
        ("'C:\\Users\\me\\w.pt' and ~/q", "'w.pt' and q"),
        ('File "/home/me/x.py", line 3', 'File "x.py", line 3'),
        ("reuse=[/a/b,/a/c]", "reuse=[b,c]"),
        ("in /home/alice, /Users/alice/ or C:\\Users\\alice", "in ~, ~ or ~"),
        ("~alice/x", "x"),
        *((same, same) for same in ("https://a.org/b/c", "shard 0/8", "h/w", "relative/a.png", "n/a", "/", "", "x:1")),
    ],
)
def test_absolute_paths_become_their_last_component(text: str, expected: str) -> None:
    assert KNOWN.in_text(text) == expected


def test_facts_keep_their_shape() -> None:
    facts = {"root": "/a/b", "list": ["/c/d", 1, None, True], "deep": {"x": ("/e/f",)}}
    assert KNOWN.removed(facts) == {"root": "b", "list": ["d", 1, None, True], "deep": {"x": ["f"]}}
