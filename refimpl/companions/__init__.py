"""Companions of the paper: one whole room each, with README, method, study, figures and command."""
