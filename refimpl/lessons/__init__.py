"""The course: NN_title.md, each printed, run as doctests and drawn by `python -m refimpl lesson N`."""
