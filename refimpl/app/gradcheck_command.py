"""python -m refimpl gradcheck module:object: the gradient checker on a user's own layer or function."""

from refimpl.app.usage import parser_of

EPILOG = """A layer has forward(x, *, train=False, rng=None) -> (out, cache) and
backward(dout, cache) -> (dx, gradients), one for each of its float arrays.

exit status: 0 the gradients are right, 1 they are wrong, 2 no verdict or
nothing to check"""


def run(argv):
    parser = parser_of("gradcheck", "Check the gradients of your own layer or function.", EPILOG, "MODULE:OBJECT")
    parser.add_argument("object", metavar="MODULE:OBJECT", help="a layer or Network; a pair (layer, x); a triple (f, vjp, "
                        "inputs); or a function of nothing, or of rng, that returns one of these")
    from refimpl.app.check import check
    return check(parser.parse_args(argv).object)
