"""Activation maximization with priors, and DeepDream: what units, layers and classes respond to."""
