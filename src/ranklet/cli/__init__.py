"""The command line: verbs to workflows, errors to one line; nothing else."""
