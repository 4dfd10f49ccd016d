"""Restage: two-stage training for image restoration on real captures."""
import os

__version__ = "2.0.0.dev0"

# GNU OpenMP's threads spin while they wait, which makes a training step ten times slower when another process wants the
# cores; so they spin for a moment only. Read when torch is loaded, so it stands here; it changes no number.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
