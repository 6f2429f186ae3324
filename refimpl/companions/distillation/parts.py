"""What `compress` measures, by name; no mathematics, for a command's help waits for none."""

from collections.abc import Sequence

PARTS = ("kernel", "students", "frontier")
COUNTS = (10, 20, 50, 100)
SEEDS = 10


def tasks_of(parts: Sequence[str], counts: Sequence[int], seeds: int) -> list[str]:
    """The names of what is to be measured: "kernel-COUNT-SEED", "students-SEED", "frontier-SEED".

    >>> tasks_of(("kernel", "frontier"), (10, 20), 1)
    ['kernel-10-0', 'kernel-20-0', 'frontier-0']
    """
    found = []
    for part in parts:
        middle = [f"{count}-" for count in counts] if part == "kernel" else [""]
        found += [f"{part}-{count}{seed}" for count in middle for seed in range(seeds)]
    return found
