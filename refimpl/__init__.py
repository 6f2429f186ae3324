"""Class visualizations in NumPy, every gradient by hand: train, visualize, retrain, prove.

Reference implementation of Abreu-Pederzini et al., "Exploring the Knowledge Embedded in Class
Visualizations and Their Application in Dataset and Extreme Model Compression", Appl. Sci. 2021, 11,
9374.

    import refimpl as ri

gives the names below, each loaded when it is first used; the modules that they come from stay
importable by their own names. `refimpl/files/rooms.py` lists the rooms.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_PLACES = {  # flat name: (module, its name there)
    "Dataset": ("refimpl.data", "Dataset"),
    "Network": ("refimpl.network", "Network"),
    "accuracy": ("refimpl.metrics", "accuracy"),
    "ascend": ("refimpl.optimize", "ascend"),
    "assert_gradients": ("refimpl.gradcheck", "assert_gradients"),
    "assert_layer": ("refimpl.gradcheck", "assert_layer"),
    "certificate": ("refimpl.exact_recovery", "certificate"),
    "check_gradients": ("refimpl.gradcheck", "check_gradients"),
    "check_jacobian": ("refimpl.gradcheck.scipy_style", "check_jacobian"),
    "check_layer": ("refimpl.gradcheck", "check_layer"),
    "class_visualizations": ("refimpl.class_visualization", "class_visualizations"),
    "dataset_from": ("refimpl.data", "dataset_from"),
    "descend": ("refimpl.descent", "descend"),
    "extract": ("refimpl.companions.extraction.extraction", "extract"),
    "load": ("refimpl.data", "load"),
    "load_network": ("refimpl.weights", "load"),
    "network_from": ("refimpl.from_arrays", "network_from"),
    "one_hidden_net": ("refimpl.network", "one_hidden_net"),
    "pack": ("refimpl.companions.packing", "pack"),
    "retrain": ("refimpl.retraining", "retrain"),
    "save_network": ("refimpl.weights", "save"),
    "show": ("refimpl.report.sheets", "show"),
    "softmax_net": ("refimpl.network", "softmax_net"),
    "train": ("refimpl.training", "train"),
}
__all__ = [*_PLACES, "__version__"]  # noqa: PLE0604 - the names above, all strings


def __getattr__(name: str) -> Any:
    """The flat name's object, imported at its first use (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module 'refimpl' has no attribute {name!r}")
    module, own = _PLACES[name]
    value = getattr(import_module(module), own)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})


if TYPE_CHECKING:  # what a type checker and an editor read
    from refimpl import weights
    from refimpl.class_visualization import class_visualizations as class_visualizations
    from refimpl.companions.extraction.extraction import extract as extract
    from refimpl.companions.packing import pack as pack
    from refimpl.data import Dataset as Dataset
    from refimpl.data import dataset_from as dataset_from
    from refimpl.data import load as load
    from refimpl.descent import descend as descend
    from refimpl.exact_recovery import certificate as certificate
    from refimpl.from_arrays import network_from as network_from
    from refimpl.gradcheck import assert_gradients as assert_gradients
    from refimpl.gradcheck import assert_layer as assert_layer
    from refimpl.gradcheck import check_gradients as check_gradients
    from refimpl.gradcheck import check_layer as check_layer
    from refimpl.gradcheck.scipy_style import check_jacobian as check_jacobian
    from refimpl.metrics import accuracy as accuracy
    from refimpl.network import Network as Network
    from refimpl.network import one_hidden_net as one_hidden_net
    from refimpl.network import softmax_net as softmax_net
    from refimpl.optimize import ascend as ascend
    from refimpl.report.sheets import show as show
    from refimpl.retraining import retrain as retrain
    from refimpl.training import train as train

    load_network, save_network = weights.load, weights.save
