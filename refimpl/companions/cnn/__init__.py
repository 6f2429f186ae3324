"""Small convolutional networks: architectures, recipes, training that can be killed and goes on."""
