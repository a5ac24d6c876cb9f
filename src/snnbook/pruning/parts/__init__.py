"""What several pruning methods share: the fast cut, channels, neuron masks, drop and grow, costs and scores."""
