"""``poetry tf doctor``: why TensorFlow will, or will not, see the GPU of this machine."""
