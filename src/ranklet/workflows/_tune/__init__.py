"""Parts of `tune`: what trains a trial, where, and what the search asks for next."""
