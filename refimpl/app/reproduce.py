"""The main job: teachers over seeds, every section's experiments, theorems, ledger, figures,
report.
"""

import json
import os
import platform
import time
from pathlib import Path

import numpy as np

from refimpl import __version__
from refimpl.app import units
from refimpl.app.experiments import EXPERIMENTS
from refimpl.app.ledger import ENTRIES
from refimpl.files.whole import write_whole
from refimpl.ledger.judge import judge, measurements
from refimpl.paper import printed_tables as consistency
from refimpl.paper import section5_figures, summary
from refimpl.paper.cells import by_id
from refimpl.paper.derived import derive
from refimpl.report import front, jobs, report
from refimpl.report.provenance import machine, stamped
from refimpl.report.tables import numbers_of

SECTIONS = {name: experiment.study.__name__ for name, experiment in EXPERIMENTS.items()}
DRAWN = "drawn from our numbers; the paper's picture is described, not compared"
CORE = tuple(name for name, experiment in EXPERIMENTS.items() if experiment.core)


def environment(data, seconds):
    """What ran where. Times are seconds."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "refimpl": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "threads": os.environ.get("OPENBLAS_NUM_THREADS", ""),
        "machine": machine(),
        "dataset": data.name,
        "title": data.title,
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "seconds": round(seconds, 1),
    }


def worst(proved):
    """One row a theorem: the seed with the largest residual (a NaN counts as largest)."""
    rows = []
    for checks in zip(*proved):
        check = max(checks, key=lambda c: np.inf if np.isnan(c.residual) else c.residual)
        rows.append(
            {
                "id": check.id,
                "statement": check.statement,
                "predicted": check.predicted,
                "measured": check.measured,
                "residual": check.residual,
                "bound": check.bound,
                "holds": all(c.holds for c in checks),
            }
        )
    return rows


def origin(found):
    """{id: the section that measured it, by its name in --only} of units' values."""
    names = {module: name for name, module in SECTIONS.items()}
    return {
        id: names[unit.section]
        for unit, values in reversed(found.items())
        if isinstance(values, dict)
        for id in values
    }


def with_ways(rows, measured_by, seconds, command):
    """The ledger's rows, each with the command that measures it and its run time: of the section
    that the id comes from; of section 5 and the row's own where it is derived from tables.
    """
    for row in rows:
        own = measured_by.get(row["id"])
        names = dict.fromkeys((own,) if own else ("5", row["section"]))
        took = sum(seconds.get(SECTIONS[name], 0.0) for name in names)
        yield from stamped([row], f"{command} --only {','.join(names)}", took, "a seed")


def draw(data, teacher, results, out, sections=()):
    """Draw every figure whose numbers are there. Returns [{file, title, paper, alt, verdict}] in
    the paper's order.
    """
    rows = list(numbers_of(results).values())
    made = section5_figures.make(data, teacher, rows, results["confusions"], out)
    for name, experiment in EXPERIMENTS.items():
        if name in sections and experiment.figures:
            made += experiment.figures.make(data, teacher, rows, out)
    return [
        entry | {"verdict": DRAWN if entry["paper"] else ""}
        for entry in sorted(made, key=lambda f: f["file"].startswith("confusion"))
    ]


def reproduce(data, *, seeds, sections, out, pool=None, data_dir=None, progress=lambda text: None):
    """Run everything and write OUT/results.json, the figures and OUT/report.html. Returns the
    results.

    pool: any concurrent.futures.Executor, this process by default. Finished units stay in OUT/units
    and are not repeated.
    """
    start, out = time.perf_counter(), Path(out)
    wanted = [
        units.Unit(data.name, SECTIONS[name], seed) for seed in range(seeds) for name in sections
    ]
    found = units.run(
        wanted,
        out / "units",
        pool or jobs.InThisProcess(),
        data_dir,
        lambda text: progress(f"{data.title}: {text}"),
        data,
    )
    measured: list[dict] = [{} for _ in range(seeds)]
    proved = [checks for checks in found.values() if isinstance(checks, list)]
    for unit, values in found.items():
        if isinstance(values, dict):
            measured[unit.seed] |= values
    measured_by = origin(found)
    measured = [seed | derive(seed, data.name) for seed in measured]
    values = by_id(measured) if measured[0] else {}
    results = {
        "environment": {},
        "seeds": seeds,
        "sections": list(sections),
        "claims": list(
            with_ways(
                judge(values, ENTRIES),
                measured_by,
                units.seconds(wanted, out / "units", data),
                f"python -m refimpl --dataset {data.name} --seeds {seeds}",
            )
        ),
        "measurements": measurements(values, ENTRIES),
        "theorems": worst(proved),
        "confusions": section5_figures.tables(data.name, measured),
        "figures": [],
        "classes": list(data.classes),
        "consistency": [
            {"what": what, "holds": bool(holds), "detail": detail}
            for what, holds, detail in consistency.tables()
        ],
        "slips": [{"where": where, "what": what} for where, what in consistency.SLIPS],
    }
    progress(f"{data.title}: figures and report")
    teacher = units.teacher(data.name, data_dir, 0)
    results["figures"] = draw(data, teacher, results, out, sections)
    results["environment"] = environment(data, time.perf_counter() - start)
    results["page"] = summary.page(results)
    write_whole(out / "results.json", json.dumps(results, indent=1))
    write_whole(out / "report.html", report.render(out))
    shown = out / results["figures"][0]["file"] if results["figures"] else None
    sentence = f"Every claim of the paper on {data.title}: measured, proved and judged."
    front.add(f"{out}/results", out / "report.html", f"The paper, {data.title}", sentence, shown)
    return results
