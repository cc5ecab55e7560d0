"""Adapters: low-rank updates, where they are placed, and PEFT's file format."""
