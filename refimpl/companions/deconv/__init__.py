"""DeconvNet, guided backpropagation and the gradient: what an image makes a unit see."""
