"""Distillation: few images, with targets, that teach a network; beside class visualizations."""
