"""A portrait that looks at you: which poses, what is prepared for them, sheets of cells, and how good they are."""
