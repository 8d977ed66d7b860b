"""Photos bundled with packages that Heatmark needs anyway."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.data.pictures import read_picture

PHOTOS: dict[str, tuple[str, str]] = {
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "astronaut": ("skimage", "data/astronaut.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "grace_hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}
"""Name of every photo to its package and the file in it."""


@dataclass(frozen=True)
class Photos(Dataset):
    """Colour photos bundled with scikit-image and Matplotlib: a cat, a coffee, people and things, without labels.

    The labels are unknown, because nobody has labelled these photos with a classifier's classes.

    Args:
        limit: take the first photos only; None takes all.

    Raises:
        ValueError: for a limit that is no whole number of at least 1.
    """

    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and (not isinstance(self.limit, int) or self.limit < 1):
            raise ValueError(f"limit is a whole number of at least 1, or null for all photos, not {self.limit!r}")

    def __len__(self) -> int:
        """Return how many photos there are."""
        return len(list(PHOTOS)[: self.limit])

    def __getitem__(self, index: int) -> Sample:
        """Return a photo at its own size.

        Raises:
            IndexError: for a position outside the dataset.
            ValueError: where the installed package lacks the file; it names the file.
        """
        name = list(PHOTOS)[: self.limit][index]
        package, path = PHOTOS[name]
        return Sample(name, read_picture(_folder(package) / path))

    def name_of(self, index: int) -> str:
        """Return a photo's name, also where its file is missing."""
        return list(PHOTOS)[: self.limit][index]


def _folder(package: str) -> Path:
    """Return where a package lies, without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ValueError(f"the photos are those of {package}, which is not installed")
    return Path(spec.origin).parent
