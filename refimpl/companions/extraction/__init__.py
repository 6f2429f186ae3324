"""Extraction: a network with one hidden layer comes back from images, or from its answers alone."""
