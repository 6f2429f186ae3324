"""python -m refimpl gradcheck module:object: the gradient checker on a user's own layer or function."""

import argparse


def run(argv):
    parser = argparse.ArgumentParser(
        prog="python -m refimpl gradcheck", description="Check the gradients of your own layer or function.",
        epilog="exit status: 0 the gradients are right, 1 they are wrong, 2 no verdict or nothing to check")
    parser.add_argument("object", metavar="MODULE:OBJECT", help="a layer or Network; a pair (layer, x); a triple (f, vjp, "
                        "inputs); or a function of nothing, or of rng, that returns one of these")
    from refimpl.app.check import check
    return check(parser.parse_args(argv).object)
