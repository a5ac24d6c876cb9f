"""snnbook: every pruning method of four papers on spiking networks, re-run and compared with the print."""

from importlib.metadata import version

__version__ = version("snnbook")
