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
A framework's backward: a function that returns check_torch(F.apply, x), of
refimpl.gradcheck.frameworks.

exit status: 0 the gradients are right, 1 they are wrong, 2 no verdict,
nothing to check, or a crash of what is checked"""


def run(argv):
    parser = parser_of(
        "gradcheck", "Check the gradients of your own layer or function.", EPILOG, "MODULE:OBJECT"
    )
    parser.add_argument(
        "object",
        metavar="MODULE:OBJECT",
        help="a layer or Network; a pair (layer, x); a triple (f, vjp, inputs); a Report; or a "
        "function of nothing, or of rng, that returns one of these",
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
    from refimpl.report.notebook_pictures import errors_html
    from refimpl.report.page import page, table, td

    numbers = ("#largest gradient", "#relative error", "#bound")
    head = ("argument", "checked", "by", *numbers, "verdict")
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
    lines = [f"<p>{escape(line.strip())}</p>" for line in str(report).splitlines()]
    sections = [("The report", [*lines, errors_html(report)])]
    if rows:
        sections.append(("Argument by argument", [table(head, rows, "Arguments", words=3)]))
    lead = [f"<p><code>python -m refimpl gradcheck {escape(spec)}</code></p>"]
    path = out / f"gradcheck-{plain_name(spec) or 'object'}.html"
    write_whole(path, page(f"Gradients of {spec}", lead, sections))
    found = f"{len(report.findings)} wrong" if report.findings else "no verdict"
    found = "nothing is wrong" if report.ok else found
    sentence = f"The hand-written gradients, checked against a numeric side: {found}."
    words = report.verdict.partition(":")[0]
    front.add(str(path), path, f"Gradients of {spec}", sentence, words=words)
    return path


def load(spec):
    """The object that "module:object" names; the current folder counts as a place of modules."""
    module, _, name = spec.partition(":")
    if not module or not name:
        raise ValueError("expected module:object")
    if module.endswith(".py"):
        file = Path(module)
        raise ValueError(
            f"expected a module, not a file: {file.stem}:{name}, asked in the folder of {file.name}"
        )
    sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(str(error)) from None
    finally:
        sys.path.pop(0)


def to_standard_error(line):
    print(line, file=sys.stderr)


def check(spec, out=print, *, err=to_standard_error, as_json=False, folder=None):
    """Check what "module:object" names; hand the report to `out`, and why there is none to `err`.

    object: a layer or Network whose first parameter tells the length of x (x is (5, 7) without
    parameters); a pair (layer, x); a triple (f, vjp, inputs); a Report, as check_torch returns it;
    or a function, of nothing or of rng, that returns one of these. folder: where a page of the
    report goes, if anywhere. Returns 0 on pass, 1 on fail, 2 where there is no verdict, the object
    cannot be checked, or it raises.
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

    from refimpl.gradcheck import Report, check_gradients, check_layer, layer_functions

    rng = np.random.default_rng(0)
    case = load(spec)
    if callable(case) and not hasattr(case, "backward") or isinstance(case, type):
        case = _made(case, rng)
    if isinstance(case, Report):
        return case
    if hasattr(case, "backward"):
        parameters = layer_functions(case, np.zeros((1, 1)), rng=rng)[2][1:]
        case = case, rng.normal(size=(5, len(parameters[0]) if parameters else 7))
    if not isinstance(case, tuple) or len(case) not in (2, 3):
        raise ValueError(
            f"expected a layer, (layer, x), (f, vjp, inputs) or a Report, got {type(case).__name__}"
        )
    if len(case) == 2 and inspect.isroutine(case[0]):
        raise ValueError("expected (layer, x) or (f, vjp, inputs), got a function in a pair")
    return check_layer(*case, rng=rng) if len(case) == 2 else check_gradients(*case, rng=rng)


def _made(make, rng):
    """What a function of nothing, or of rng, returns; a class is called like one."""
    if isinstance(make, type) and any(c.__module__.startswith("torch.") for c in make.__mro__):
        raise ValueError(
            "a class of torch; expected a function that returns "
            f"check_torch({make.__name__}.apply, x), of refimpl.gradcheck.frameworks"
        )
    parameters = inspect.signature(make).parameters.values()
    asked = [p.name for p in parameters if p.default is p.empty and p.kind < p.VAR_KEYWORD]
    if asked not in ([], ["rng"]):
        instead = "a layer" if isinstance(make, type) else "(f, vjp, inputs)"
        raise ValueError(
            f"expected {instead}, or a function of nothing or of rng that returns it, got "
            f"{make.__name__}({', '.join(asked)})"
        )
    return make(rng) if asked else make()
