"""The course: NN_title.md, printed, run as doctests and drawn by `python -m refimpl lesson N`."""
