"""The published convention of Brain-Score: its metrics, file format, adapters, data sets and benchmarks."""
