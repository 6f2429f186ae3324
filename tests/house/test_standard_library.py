"""data_fetch.py and refimpl/files need nothing but the standard library: they run before anything
is installed.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        known = name.split(".")[0] in {*sys.stdlib_module_names, "refimpl", "data_fetch"}
        if not known:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
"""


def run(code, folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "REFIMPL_DATA": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + code],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
    )


def test_the_list_of_data_sets_with_everything_blocked(tmp_path):
    done = run("import data_fetch; sys.exit(data_fetch.main(['--list']))", tmp_path)
    assert done.returncode == 0 and done.stdout.count("missing") == 3, done.stderr


def test_files_imports_nothing_else(tmp_path):
    names = [p.stem for p in (ROOT / "refimpl" / "files").glob("*.py") if p.stem != "__init__"]
    done = run(f"from refimpl.files import {', '.join(names)}", tmp_path)
    assert done.returncode == 0 and len(names) >= 5, done.stderr
    assert "numpy is blocked" in run("import numpy", tmp_path).stderr
