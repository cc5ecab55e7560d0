"""Parts of train, in the order of their use: resume, teachers, learn."""
