"""What a person waits for: each command's --help, the import, and training from Python while
another process keeps a core busy.
"""

import os
import subprocess
import sys
from contextlib import contextmanager

import numpy as np

from benchmarks.timing import report, within
from refimpl.app.cli import COMMANDS

HELP = 0.3  # seconds that --help may take
IMPORT = 0.1  # seconds that importing refimpl may take beyond NumPy
SHARE = 1.5  # of the time with one BLAS thread asked for

STARTED = """
import sys, time
begun = time.perf_counter()
{code}
print(time.perf_counter() - begun)
"""

TRAINING = """
import time
import refimpl as ri
from refimpl.threads import as_it_is
from contextlib import nullcontext
data = ri.load("digits")
net = ri.one_hidden_net(784, 30, 10, rng=0)
with as_it_is() if {bare} else nullcontext():
    ri.train(net, data.train_x, data.train_y, steps=20, lr=0.1, rng=0)
    begun = time.perf_counter()
    teacher, _ = ri.train(net, data.train_x, data.train_y, steps={steps}, lr=0.1, rng=0)
    images, _ = ri.class_visualizations(teacher, steps={steps} // 10, lr=0.02)
    ri.retrain(images, teacher.logits(images))
    print(time.perf_counter() - begun)
"""


def seconds_of(code, **environment):
    """What a Python of its own prints: the seconds that it measured."""
    clean = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


@contextmanager
def one_core_busy():
    """Another process that computes all the time."""
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        child.kill()
        child.wait()


def helped(command):
    """Seconds from the start of Python to the end of a command's --help, as a shell sees them."""
    run = f"import subprocess; subprocess.run([sys.executable, '-m', 'refimpl', {command!r}, "
    return seconds_of(STARTED.format(code=f"{run}'--help'], stdout=subprocess.DEVNULL)"))


def main(quick=False):
    commands = ["pack", "play"] if quick else list(COMMANDS)
    repeats = 2 if quick else 5
    shown = {f"{name} --help": [helped(name) for _ in range(repeats)] for name in commands}
    imports = {
        "import numpy": "import numpy",
        "import numpy, refimpl and all its flat names": "import numpy, refimpl\n"
        "[getattr(refimpl, name) for name in refimpl.__all__]",
        "import numpy and refimpl": "import numpy, refimpl",
    }
    found = {
        name: [seconds_of(STARTED.format(code=code)) for _ in range(repeats)]
        for name, code in imports.items()
    }
    middle = {name: float(np.median(times)) for name, times in (shown | found).items()}
    slowest = max(shown, key=lambda name: middle[name])
    beyond = middle["import numpy and refimpl"] - middle["import numpy"]
    report(
        "what a person waits for",
        {name: np.array(times) for name, times in (shown | found).items()},
        note=f"goal {'met' if middle[slowest] < HELP else '**missed**'}: every --help under "
        f"{HELP:g} s: {slowest} takes {middle[slowest]:.2f} s. "
        f"goal {'met' if beyond < IMPORT else '**missed**'}: importing refimpl under {IMPORT:g} s "
        f"beyond NumPy: {max(beyond, 0):.3f} s",
    )
    steps = 200 if quick else 1500
    ways = {
        "OPENBLAS_NUM_THREADS=1": (False, {"OPENBLAS_NUM_THREADS": "1"}),
        "nothing set": (False, {}),
        "nothing set, and no limit inside": (True, {}),
    }
    busy = {name: [] for name in ways}
    with one_core_busy():
        for _ in range(1 if quick else 3):
            for name, (bare, environment) in ways.items():
                busy[name].append(
                    seconds_of(TRAINING.format(bare=bare, steps=steps), **environment)
                )
    report(
        "784-30-10 trained, its class visualizations and their student, one core kept busy",
        {name: np.array(times) for name, times in busy.items()},
        [within("nothing set", "OPENBLAS_NUM_THREADS=1", SHARE)],
        note=f"{os.cpu_count()} cores; the last row is what refimpl.threads saves",
    )
