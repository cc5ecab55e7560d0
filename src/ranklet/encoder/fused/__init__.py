"""An encoder layer with its adapters as one function, forward and backward written by hand."""
