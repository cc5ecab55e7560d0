"""The folder of one training: every path of it, and everything that is written there."""
