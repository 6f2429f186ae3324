"""Class visualizations in NumPy, every gradient by hand: train, visualize, retrain, prove.

Reference implementation of Abreu-Pederzini et al., "Exploring the Knowledge Embedded in Class
Visualizations and Their Application in Dataset and Extreme Model Compression", Appl. Sci. 2021, 11,
9374. Import the module you need: `from refimpl.network import softmax_net`. README.md has the map
of rooms.
"""

__version__ = "0.1.0"
