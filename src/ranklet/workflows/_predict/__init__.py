"""Parts of predict: the submission of a contest, made after its sample."""
