"""The rows of the table of directives, a file for each subject."""
