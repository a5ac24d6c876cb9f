"""The pruning methods: one file each, which opens with the paper, its equations and where we deviate."""
