"""python -m refimpl gradcheck module:object: the gradient checker on a user's own layer or
function.
"""

import importlib
import inspect
import json
import os
import sys
from html import escape
from pathlib import Path

from refimpl.files.idx_folder import plain_name
from refimpl.report.options import make_folder, parser_of

EPILOG = """A layer has forward(x, *, train=False, rng=None) -> (out, cache) and
backward(dout, cache) -> (dx, gradients), one for each of its float arrays.

exit status: 0 the gradients are right, 1 they are wrong, 2 no verdict,
nothing to check, or a crash of what is checked"""


def run(argv):
    parser = parser_of(
        "gradcheck", "Check the gradients of your own layer or function.", EPILOG, "MODULE:OBJECT"
    )
    parser.add_argument(
        "object",
        metavar="MODULE:OBJECT",
        help="a layer or Network; a pair (layer, x); a triple (f, vjp, "
        "inputs); or a function of nothing, or of rng, that returns one of these",
    )
    parser.add_argument("--json", action="store_true", help="the report as one JSON object")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="a page of the report there (default: none)"
    )
    args = parser.parse_args(argv)
    out = make_folder(args.out) if args.out else None
    return check(args.object, as_json=args.json, folder=out)


def leave_page(spec, report, out):
    """Write OUT/gradcheck-NAME.html: the report in words, each argument's evidence as a table, its
    errors as a picture; and put its card on the front page.
    """
    from refimpl.files.whole import write_whole
    from refimpl.report import front
    from refimpl.report.notebook_pictures import report_html
    from refimpl.report.page import page, table, td

    head = ("argument", "checked", "by", "#largest gradient", "#error", "#bound", "verdict")
    rows = [
        [
            td(a.name, "word"),
            td(a.checked, "word"),
            td(a.method, "word"),
            *(td(f"{value:.1e}", "n") for value in (a.gradient, a.error, a.bound)),
            td(a.verdict, {"pass": "good", "fail": "bad"}.get(a.verdict, "")),
        ]
        for a in report.arguments
    ]
    sections = [("The report", [report_html(report)])]
    if rows:
        sections.append(("Argument by argument", [table(head, rows, "Arguments", words=3)]))
    lead = [f"<p><code>python -m refimpl gradcheck {escape(spec)}</code></p>"]
    path = out / f"gradcheck-{plain_name(spec) or 'object'}.html"
    write_whole(path, page(f"Gradients of {spec}", lead, sections))
    wrong = f"{len(report.findings)} wrong." if report.findings else "Nothing is wrong."
    sentence = f"The hand-written gradients, checked against a numeric side: {wrong}"
    words = report.verdict.partition(":")[0]
    front.add(str(path), path, f"Gradients of {spec}", sentence, words=words)
    return path


def load(spec):
    """The object that "module:object" names; the current folder counts as a place of modules."""
    module, _, name = spec.partition(":")
    if not module or not name:
        raise ValueError(f"{spec!r}: expected module:object")
    sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{spec}: {error}") from None
    finally:
        sys.path.pop(0)


def to_standard_error(line):
    print(line, file=sys.stderr)


def check(spec, out=print, *, err=to_standard_error, as_json=False, folder=None):
    """Check what "module:object" names; hand the report to `out`, and why there is none to `err`.

    object: a layer or Network whose first parameter tells the length of x (x is (5, 7) without
    parameters); a pair (layer, x); a triple (f, vjp, inputs); or a function, of nothing or of rng,
    that returns one of these. folder: where a page of the report goes, if anywhere. Returns 0 on
    pass, 1 on fail, 2 where there is no verdict, the object cannot be checked, or it raises.
    """
    try:
        report = _report(spec)
    except ValueError as error:
        err(f"{spec}: not checked: {error}")
        return 2
    except Exception as error:
        err(f"{spec}: not checked: it raised {type(error).__name__}: {error}")
        return 2
    out(json.dumps(report.as_dict() | {"object": spec}) if as_json else f"{spec}: {report}")
    if folder is not None:
        path = leave_page(spec, report, folder)
        err(f"Page: {path}")
    return {"pass": 0, "fail": 1}.get(report.verdict, 2)


def _report(spec):
    import numpy as np

    from refimpl.gradcheck import check_gradients, check_layer, layer_functions

    rng = np.random.default_rng(0)
    case = load(spec)
    if callable(case) and not hasattr(case, "backward") or isinstance(case, type):
        case = case(rng) if inspect.signature(case).parameters else case()
    if hasattr(case, "backward"):
        parameters = layer_functions(case, np.zeros((1, 1)), rng=rng)[2][1:]
        case = case, rng.normal(size=(5, len(parameters[0]) if parameters else 7))
    if not isinstance(case, tuple) or len(case) not in (2, 3):
        raise ValueError(
            f"{spec}: expected a layer, (layer, x) or (f, vjp, inputs), got {type(case).__name__}"
        )
    return check_layer(*case, rng=rng) if len(case) == 2 else check_gradients(*case, rng=rng)
