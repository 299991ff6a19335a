"""What tests stand on: a local package index, a made-up TensorFlow in it, and the real Poetry."""
