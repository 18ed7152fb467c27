from brainmark.core import register_benchmark

register_benchmark(
    "Toy.IT-pls", "Simulated.IT", "pls", summary="Simulated neurons, predicted by partial least squares."
)
