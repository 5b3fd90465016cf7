"""Source readers for the files people have: each becomes prose, or questions with their answers."""
