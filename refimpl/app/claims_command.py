"""python -m refimpl claims: the ledger, from the latest results of every data set."""

import argparse
import json
from pathlib import Path

from refimpl.report.options import DATASETS, OUT, UsageError


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="python -m refimpl claims",
        description="Print the ledger of every number "
        "the paper prints, from the latest results of each data set.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=OUT,
        metavar="DIR",
        help="a folder of results, or of such folders (default refimpl-out)",
    )
    parser.add_argument("--dataset", metavar="NAME", help="of one data set only")
    parser.add_argument("--summary", action="store_true", help="the README's table only")
    parser.add_argument(
        "--cells", action="store_true", help="every cell of the tables, not their summary"
    )
    return parser.parse_args(argv)


def gather(out):
    """({id: row}, {data set: title}, {(data set, figure): verdict}), the latest of all results in
    OUT and its folders.
    """
    rows: dict[str, dict] = {}
    titles: dict[str, str] = {}
    figures: dict[tuple[str, str], str] = {}
    folders = [folder for folder in (out, *sorted(out.glob("*/"))) if folder.is_dir()]
    for path in sorted(
        (p for folder in folders for p in folder.glob("*.json")), key=lambda p: p.stat().st_mtime
    ):
        try:
            results = json.loads(path.read_text())
            if "claims" not in results:  # a lesson's, a packing's
                continue
            rows |= {row["id"]: row for row in results["claims"]}
            name = results["environment"]["dataset"]
            titles[name] = results["environment"]["title"]
            figures |= {
                (name, figure["title"]): figure.get("verdict", "") for figure in results["figures"]
            }
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{path}: expected results of refimpl, found something else") from None
    if not rows:
        raise UsageError(f"--out: no results in {out} or its folders; run python -m refimpl first")
    return rows, titles, figures


def run(argv):
    args = parse(argv)
    from refimpl.app.ledger import CLAIMS
    from refimpl.companions.descriptors.study import NOT_JUDGED
    from refimpl.report.tables import claims_text, summary_text

    latest, titles, figures = gather(args.out)
    if args.summary:
        print(summary_text(latest, {name: titles[name] for name in DATASETS if name in titles}))
        return 0
    wanted = [claim.id for claim in CLAIMS if args.dataset in (None, claim.id.split("/")[1])]
    if not wanted:
        names = sorted({claim.id.split("/")[1] for claim in CLAIMS})
        raise UsageError(f"--dataset: expected one of {', '.join(names)}, got {args.dataset!r}")
    rows = [latest[id] for id in wanted if id in latest]
    if args.cells:
        for row in rows:
            ours = row["ours"]
            print(f"{row['id']:52} {row['paper']} {ours['mean']:.6g} {ours['sd']} {row['verdict']}")
    else:
        for name, title in titles.items():
            some = [row for row in rows if row["id"].split("/")[1] == name]
            if some:
                print(f"{title}\n{claims_text(some)}\n")
        print(
            "\n".join(
                f"{titles[name]}, {figure}: {verdict}"
                for (name, figure), verdict in figures.items()
                if verdict and args.dataset in (None, name)
            )
            + "\n"
        )
    missing = sorted({"/".join(id.split("/")[:2]) for id in wanted if id not in latest})
    print("\n".join(f"not judged: {id}: {reason}" for id, reason in NOT_JUDGED))
    print(
        f"{len(rows)} of {len(wanted)} claims measured"
        + (f"; not all of: {', '.join(missing)}" if missing else "")
    )
    return 0
