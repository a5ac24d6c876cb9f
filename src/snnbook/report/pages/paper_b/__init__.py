"""The pages of paper B (Shi et al. 2024)."""
