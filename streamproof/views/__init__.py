"""What a person sees: the tables, lines of progress and plots of each command, one module for each subject."""
