"""Training the model of probabilistic matching, without anybody saying who is who."""
