"""The main job: teachers over seeds, every section's experiments, theorems, ledger, figures, report."""

import json
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np

from refimpl import __version__
from refimpl.app import figures, report
from refimpl.paper import consistency, controls, section5, section7, section9, theorems
from refimpl.paper.claims import judge
from refimpl.paper.protocol import PROTOCOLS
from refimpl.paper.protocol import teacher as train_teacher

SECTIONS = {"5": section5.run, "7": section7.run, "9": section9.run, "controls": controls.run, "theorems": theorems.run}


def environment(data, seconds):
    """What ran where. Times are seconds."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {"refimpl": __version__, "python": platform.python_version(), "numpy": np.__version__,
            "blas": f"{blas.get('name')} {blas.get('version')}", "threads": os.environ.get("OPENBLAS_NUM_THREADS", ""),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "dataset": data.name, "title": data.title, "date": time.strftime("%Y-%m-%d %H:%M"),
            "seconds": round(seconds, 1)}


def measure(data, seeds, sections, progress):
    """Run the sections on every seed. Returns (teacher of seed 0, [{id: value}], [[Theorem]])."""
    measured, proved, first = [], [], None
    for seed in range(seeds):
        progress(f"{data.title}, seed {seed + 1} of {seeds}: teacher")
        teacher = train_teacher(data, seed, PROTOCOLS[data.name].paper)
        first, values = first or teacher, {}
        values[f"table5/{data.name}/train_set"], _ = section5.score(data, teacher)
        for name in sections:
            progress(f"{data.title}, seed {seed + 1} of {seeds}: {'section ' if name.isdigit() else ''}{name}")
            if name == "theorems":
                proved.append(theorems.run(data, teacher, seed))
            else:
                values |= SECTIONS[name](data, teacher, seed)
        measured.append(values)
    return first, measured, proved


def worst(proved):
    """One row a theorem: the seed with the largest residual (a NaN counts as largest)."""
    rows = []
    for checks in zip(*proved):
        check = max(checks, key=lambda c: np.inf if np.isnan(c.residual) else c.residual)
        rows.append({"id": check.id, "statement": check.statement, "predicted": check.predicted,
                     "measured": check.measured, "residual": check.residual, "bound": check.bound,
                     "holds": all(c.holds for c in checks)})
    return rows


def reproduce(data, *, seeds, sections, out, progress=lambda text: None):
    """Run everything and write OUT/results.json, the figures and OUT/report.html. Returns the results."""
    start, out = time.perf_counter(), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    teacher, measured, proved = measure(data, seeds, sections, progress)
    claims, confusions = judge(measured), figures.tables(data.name, measured)
    progress("figures and report")
    drawn = figures.make(data, teacher, claims, confusions, out)
    results = {"environment": environment(data, time.perf_counter() - start), "seeds": seeds, "sections": list(sections),
               "claims": claims, "theorems": worst(proved), "confusions": confusions, "figures": drawn,
               "consistency": [{"what": what, "holds": bool(holds), "detail": detail}
                               for what, holds, detail in consistency.tables()],
               "slips": [{"where": where, "what": what} for where, what in consistency.SLIPS]}
    write(out / "results.json", json.dumps(results, indent=1))
    write(out / "report.html", report.render(out))
    return results


def write(path, text):
    """Write a text file, all or nothing."""
    part = Path(path).with_name(Path(path).name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


class Progress:
    """One line on standard error, rewritten; nothing where that is no terminal."""

    def __init__(self, quiet):
        self.show, self.start = sys.stderr.isatty() and not quiet, time.perf_counter()

    def __call__(self, text):
        if self.show:
            sys.stderr.write(f"\r\x1b[K{time.perf_counter() - self.start:5.0f} s  {text}" if text else "\r\x1b[K")
            sys.stderr.flush()
