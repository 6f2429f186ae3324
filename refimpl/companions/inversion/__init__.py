"""Inversion: what each layer keeps of an image, by regularization and by a trained decoder."""
