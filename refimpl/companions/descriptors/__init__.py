"""Descriptors that score images: bag of visual words, SIFT contributions, Harris corners."""
