"""The pages of paper A (Gou et al. 2025)."""
