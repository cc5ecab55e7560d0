"""track: a training told to several observers at once, and one that writes TensorBoard's events."""

from __future__ import annotations
