"""The mechanical mutations; a file of its own: an excused line is not found while a mutated file is
in place.
"""

from refimpl.gradcheck.mutants.mechanical import EQUIVALENT, FILES, ROOT, mutations


def test_mechanical_mutations_are_valid_and_differ():
    source = "def f(x, w):\n    return np.where(x > 0, (x @ w.T).sum(axis=0), 1 - x)\n"
    found = [(what, text()) for _, what, text in mutations(source)]
    assert len({text for _, text in found}) == len(found) >= 6
    for what, text in found:
        compile(text, what, "exec")
    assert {"> to >=", "drop .T", "- to +", "axis=0 to axis=1", "1 to 2"} <= {
        what for what, _ in found
    }


def test_the_excused_mutations_exist():
    """A line that changes takes its excuse with it."""
    found = set()
    for file in {key.split(":")[0] for key in EQUIVALENT}:
        source = (ROOT / "refimpl" / file).read_text()
        found |= {
            f"{file}: {source.splitlines()[line - 1].strip()}: {what}"
            for line, what, _ in mutations(source)
        }
    assert set(EQUIVALENT) <= found
    assert all((ROOT / test).exists() for tests in FILES.values() for test in tests)
