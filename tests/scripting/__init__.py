"""Scripts: the sandbox, long runs, several workers, files."""
