"""Generated stimuli and simulated brains."""
