"""Shards."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    number: int
    of: int

    def positions(self, count: int) -> range:
        return range(self.number, count, self.of)


def parse_shard(text: str) -> Shard:
    a, b = text.split("/")
    return Shard(int(a), int(b))


WHOLE = Shard(0, 1)
