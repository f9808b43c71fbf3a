"""Hyperparameter tuning for any training command."""

__all__ = ["__version__"]

__version__ = "0.1.0"
