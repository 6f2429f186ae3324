"""The measured table of README.md and of the room's own: test accuracies by claim and data set."""

from refimpl.paper.summary import HEADING, SUMMARY
from refimpl.report.provenance import overall
from refimpl.report.room_table import Run
from refimpl.report.tables import summary_text


def values_of(latest: dict[str, dict], titles: dict[str, str]) -> dict:
    """What the record keeps of the ledger: its rows in the summary, the data sets' titles, and the
    overall verdict on each in a line.

    latest: {id: judged row}. titles: {data set: title}, the columns in their order.

    >>> row = {"ours": {"mean": 92.3, "sd": 0.1, "n": 10}, "paper": 91.76, "verdict": "exceeded"}
    >>> found = values_of({"table5/mnist/train_set": row, "other": row}, {"mnist": "MNIST"})
    >>> found["overall"]
    ['MNIST, overall: reproduced. Printed numbers: 1 exceeded.']
    >>> list(found["rows"]), found["rows"]["table5/mnist/train_set"]["ours"]
    (['table5/mnist/train_set'], {'mean': 92.3, 'sd': 0.1})
    """
    rows = {}
    for _, pattern in SUMMARY:
        for id in map(pattern.format, titles):
            if id in latest:
                row = latest[id]
                ours = {key: row["ours"][key] for key in ("mean", "sd")}
                rows[id] = {"ours": ours, "paper": row["paper"], "verdict": row["verdict"]}
    lines = []
    for name, title in titles.items():
        judged = [r for id, r in latest.items() if r["verdict"] and id.split("/")[1:2] == [name]]
        lines += [overall(judged, title)] if judged else []
    return {"titles": titles, "rows": rows, "overall": lines}


def table(runs: list[Run]) -> str:
    """The summary of the latest run, and below it the overall verdicts.

    >>> values = {"titles": {"mnist": "MNIST"}, "rows": {}}
    >>> print(table([Run("claims", "2026-11-21", "0.1.0", values)]))
    | test accuracy, % (paper, verdict) | MNIST |
    |---|---|
    """
    values = runs[-1].values
    text = summary_text(HEADING, SUMMARY, values["rows"], values["titles"])
    return "\n\n".join([text, *values.get("overall", [])])
