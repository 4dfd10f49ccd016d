"""Restage: two-stage training for image restoration on real captures."""
import os

# OpenMP threads that spin while they wait make a training step ten times slower when another process wants the cores.
# Read when torch is loaded, so it stands here; it changes no number.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
