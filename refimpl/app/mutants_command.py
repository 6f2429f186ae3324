"""python -m refimpl mutants: the checker rated by planted errors."""

import argparse


def run(argv):
    parser = argparse.ArgumentParser(
        prog="python -m refimpl mutants",
        description="Rate the gradient checker by planted errors, beside the default "
        "rules of torch, scipy, autograd and jax where they are installed.",
        epilog="exit status: 1 when an error survives ours or correct code is accused",
    )
    parser.add_argument("--quick", action="store_true", help="without the other checkers")
    args = parser.parse_args(argv)
    from refimpl.gradcheck.mutants import main_mutants

    return main_mutants(quick=args.quick)
