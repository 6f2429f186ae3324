"""The code in the room's README runs as it stands."""

import re
from pathlib import Path

import pytest

import refimpl.gradcheck

README = Path(refimpl.gradcheck.__file__).with_name("README.md")
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=["hypothesis", "scipy", "torch"])
def test_a_block_runs(block):
    if "import torch" in block:
        pytest.importorskip("torch")
    found = {}
    exec(block, found)
    for name, test in found.items():
        if name.startswith("test_"):
            test()
