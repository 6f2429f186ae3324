"""The checker on functions that nobody here wrote: HIPS autograd's, MyGrad's and torch's own.

`python -m refimpl mutants --public` takes every function of these libraries that can be used, asks
whether the library's own backward passes, plants errors in it, and counts who sees them: our
checker, and the default rules of others (mutants/peers.py). The libraries are the extra `peers`.

The files in the order of reading: `function` (one function as data), `plant` (the errors),
`judge` (one function, one seed, every checker), `summary` (the counts), then where the functions
come from: `autograd_functions`, `mygrad_functions`, `torch_operators`; and `peer_errors`, what was
found to be wrong in the libraries themselves.
"""
