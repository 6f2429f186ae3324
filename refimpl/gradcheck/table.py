"""The room's measured tables: the score on public functions, as Markdown.

From the record that `python -m refimpl mutants --public --write` makes of summary() and wrong().
"""

from collections.abc import Iterable, Sequence
from typing import Any

from refimpl.gradcheck.mutants.public.plant import KINDS
from refimpl.gradcheck.mutants.public.summary import METHODS

WRONG_GOALS = {"complex step": 0.995, "differences": 0.95}  # of errors of 1 + 1e-6
UNKNOWN_GOAL = 0.03  # no verdict on at most this share of right gradients


def _markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(headings), *map(list, rows)]
    text = ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([text[0], "|---" * len(headings) + "|", *text[1:]])


def _of(pair):
    caught, of = pair
    return f"{caught} / {of}" if of else "-"


def right_rows(libraries: Sequence[dict], known: Sequence[dict]) -> list[list[str]]:
    """A row a library: functions, checks, passes, false alarms, true finds, crashes, no verdicts,
    seconds a check. known: the errors of the libraries themselves, which are no false alarms.

    >>> counts = {"pass": 3, "fail": 1, "no verdict": 0, "crash": 0}
    >>> one = {"library": "torch", "version": "2", "functions": 4, "seeds": 1, "checks": 4}
    >>> one |= {"verdicts": counts, "alarms": ["digamma"], "seconds": 2.0}
    >>> right_rows([one], [{"library": "torch", "functions": ["digamma"]}])
    [['torch 2', '4', '4', '3', '0', '1', '0', '0', '0.50']]
    """
    rows = []
    for one in libraries:
        true = {
            name
            for wrong in known
            if wrong["library"] == one["library"]
            for name in wrong["functions"]
        }
        false = [name for name in one["alarms"] if name not in true]
        counts = one["verdicts"]
        rows.append(
            [
                f"{one['library']} {one['version']}",
                str(one["functions"]),
                str(one["checks"]),
                str(counts["pass"]),
                str(len(false)),
                str(len(one["alarms"]) - len(false)),
                str(counts["crash"]),
                str(counts["no verdict"]),
                f"{one['seconds'] / max(one['checks'], 1):.2f}",
            ]
        )
    return rows


def planted_rows(libraries: Sequence[dict]) -> list[list[str]]:
    """A row a kind of planted error: caught by the complex step, by differences, and how many were
    equivalent, all libraries together.

    >>> counts = {"complex step": [2, 2], "differences": [1, 2], "equivalent": [0, 3]}
    >>> planted_rows([{"planted": dict.fromkeys(KINDS, counts)}])[0]
    ['factor 1 + 1e-6', '2 / 2 (100.0 %)', '1 / 2 (50.0 %)', '3']
    """
    rows = []
    for kind in KINDS:
        cells = [kind]
        for method in METHODS:
            caught, of = (sum(one["planted"][kind][method][i] for one in libraries) for i in (0, 1))
            cells.append(f"{caught} / {of} ({caught / of:.1%})".replace("%", " %") if of else "-")
        rows.append([*cells, str(sum(one["planted"][kind]["equivalent"][1] for one in libraries))])
    return rows


def peer_rows(libraries: Sequence[dict]) -> list[list[str]]:
    """A row a checker, over the functions that were put to all of them.

    >>> said = {"right": [1, 4], "seconds": 2.0, **dict.fromkeys(KINDS, [1, 4])}
    >>> peer_rows([{"peers": {"scipy": said}}])
    [['scipy', '1 / 4', '1 / 4', '1 / 4', '1 / 4', '0.50']]
    """
    names = dict.fromkeys(name for one in libraries for name in one["peers"])
    rows = []
    for name in names:
        said: dict[str, list[int]] = {key: [0, 0] for key in ("right", *KINDS)}
        seconds = 0.0
        for one in libraries:
            if name in one["peers"]:
                seconds += one["peers"][name]["seconds"]
                for key in said:
                    said[key] = [a + b for a, b in zip(said[key], one["peers"][name][key])]
        each = f"{seconds / max(said['right'][1], 1):.2f}"
        rows.append([name, *[_of(said[key]) for key in said], each])
    return rows


RIGHT = [
    "library",
    "functions",
    "checks",
    "pass",
    "false alarms",
    "true finds",
    "crashes",
    "no verdict",
    "seconds each",
]
PLANTED = ["planted error", "caught, complex step", "caught, differences", "equivalent"]
PEERS = ["checker", "right ones rejected", *KINDS, "seconds each"]


def goals(libraries: Sequence[dict], known: Sequence[dict]) -> list[str]:
    """Which of the goals are met, a line each: crashes and false alarms 0; 1 + 1e-6 caught by
    99.5 % and 95 %; the other kinds all; no verdict on at most 3 %.

    >>> counts = dict.fromkeys((*METHODS, "equivalent"), [2, 2])
    >>> one = {"library": "torch", "version": "2", "functions": 4, "seeds": 1, "checks": 4}
    >>> one |= {"verdicts": {"pass": 4, "fail": 0, "no verdict": 0, "crash": 0}, "alarms": []}
    >>> one |= {"seconds": 2.0, "planted": dict.fromkeys(KINDS, counts)}
    >>> goals([one], [])[2]
    'factor 1 + 1e-6, complex step: 100.00 %, the goal of 99.5 % is met'
    """
    rows = right_rows(libraries, known)
    lines = [
        f"false alarms {sum(int(r[4]) for r in rows)}, crashes {sum(int(r[6]) for r in rows)}: "
        "the goal is none of either"
    ]
    checks = sum(one["checks"] for one in libraries)
    unknown = sum(one["verdicts"]["no verdict"] for one in libraries)
    lines.append(f"no verdict on {unknown / max(checks, 1):.1%}: the goal is at most 3 %")
    for kind in KINDS:
        for method in METHODS:
            caught, of = (sum(one["planted"][kind][method][i] for one in libraries) for i in (0, 1))
            goal = WRONG_GOALS[method] if kind == KINDS[0] else 1.0
            met = "met" if caught >= goal * of else "missed"
            share = caught / of if of else 1.0
            lines.append(f"{kind}, {method}: {share:.2%}, the goal of {goal:.1%} is {met}")
    return [line.replace("%", " %").replace("  %", " %") for line in lines]


def missed_rows(libraries: Sequence[dict]) -> list[list[str]]:
    """Rows (library, what is missed, functions): planted errors, no verdicts, crashes.

    >>> missed_rows([{"library": "torch", "missed": [], "unknown": ["erfc"], "crashes": []}])
    [['torch', 'no verdict', 'erfc']]
    """
    rows = []
    for one in libraries:
        for what in ("missed", "unknown", "crashes"):
            if one[what]:
                label = {"missed": "planted errors that were not caught", "unknown": "no verdict"}
                rows.append([one["library"], label.get(what, what), "; ".join(one[what])])
    return rows


def skipped_rows(libraries: Sequence[dict]) -> list[list[str]]:
    """Rows (library, reason, how many, which) of what was not judged.

    >>> skipped_rows([{"library": "torch", "skipped": {"no samples": ["a", "b"]}}])
    [['torch', 'no samples', '2', 'a, b']]
    """
    return [
        [one["library"], reason, str(len(names)), ", ".join(names)]
        for one in libraries
        for reason, names in one["skipped"].items()
    ]


def wrong_rows(known: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Rows (library, functions, where, what it returns, the true derivative to 30 digits).

    >>> wrong_rows([{"library": "a", "functions": ["f"], "at": "1", "theirs": 0.5, "true": "1.0"}])
    [['a', 'f', '1', '0.5', '1.0']]
    """
    return [
        [
            wrong["library"],
            ", ".join(wrong["functions"]),
            wrong["at"],
            f"{wrong['theirs']:.12g}",
            wrong["true"],
        ]
        for wrong in known
    ]


WRONG = ["library", "functions", "where", "it returns", "true, 30 digits"]
MISSED = ["library", "what", "functions"]
SKIPPED = ["library", "not judged because", "how many", "which"]


def table(runs: Sequence[Any]) -> str:
    """All tables of the README.

    >>> table([])
    ''
    """
    parts = []
    for run in runs:
        libraries, known = run.values["libraries"], run.values["wrong"]
        seeds = libraries[0]["seeds"]
        parts += [
            f"Right gradients, {seeds} seeds. A true find is an error of the library, shown below.",
            _markdown(RIGHT, right_rows(libraries, known)),
            "Planted errors, all libraries. Caught: failed with the right argument named. "
            "Equivalent: the change is at most ten of the bounds that the right gradient's report "
            "prints.",
            _markdown(PLANTED, planted_rows(libraries)),
            "\n".join(f"- {line}" for line in goals(libraries, known)),
            "The default rules of others on an eighth of the functions, seed 0. They name no "
            "argument (torch does): a rejection counts as caught; equivalent errors are left out.",
            _markdown(PEERS, peer_rows(libraries)),
            "What is wrong in the libraries, by mpmath.",
            _markdown(WRONG, wrong_rows(known)),
            "What was missed.",
            _markdown(MISSED, missed_rows(libraries)),
            "What was not judged.",
            _markdown(SKIPPED, skipped_rows(libraries)),
        ]
    return "\n\n".join(parts)
