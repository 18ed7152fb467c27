"""Studies: one file each, with stimuli, measurement, the URLs of files, and benchmarks."""
