"""The work in blocks: each a pure function of its description, so that many processes share it."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from refimpl.gradcheck.mutants.peers import installed
from refimpl.gradcheck.mutants.public.function import NEEDS, Skipped, functions
from refimpl.gradcheck.mutants.public.judge import judge
from refimpl.gradcheck.mutants.public.summary import summary

BLOCKS = 16  # of a library's functions
PEERS_EVERY = 8  # the other checkers are asked about the functions of every eighth block, seed 0


@dataclass(frozen=True)
class Block:
    """Some functions of one version of a library, drawn with one seed."""

    library: str
    seed: int
    number: int
    version: str

    def __str__(self) -> str:
        return f"{self.library}-{self.version}-{self.seed}-{self.number}"


def blocks_of(libraries: tuple[str, ...], seeds: int) -> list[Block]:
    """All blocks of these libraries, which must be installed."""
    return [
        Block(library, seed, number, version(NEEDS[library][0]))
        for library in libraries
        for seed in range(seeds)
        for number in range(BLOCKS)
    ]


def measure(block: Block) -> dict[str, Any]:
    """What everybody says of one block: {"rows": judge()'s, "skipped": [{"name", "reason"}]}."""
    asked = block.seed == 0 and block.number % PEERS_EVERY == 0
    peers = installed()[0] if asked else {}
    rows, skipped = [], []
    for function in functions(block.library, block.seed, block.number, BLOCKS):
        if isinstance(function, Skipped):
            skipped.append(asdict(function))
        else:
            rows.append(judge(function, block.seed, peers))
    return {"rows": rows, "skipped": skipped}


def summaries(found: dict[Block, dict]) -> list[dict]:
    """The summary of each library, from all its blocks."""
    result = []
    for library in dict.fromkeys(block.library for block in found):
        mine = {block: some for block, some in found.items() if block.library == library}
        rows = [row for some in mine.values() for row in some["rows"]]
        skipped = [one for some in mine.values() for one in some["skipped"]]
        seeds = len({block.seed for block in mine})
        counts = summary(library, rows, skipped, seeds)
        result.append({"version": next(iter(mine)).version, **counts})
    return result
