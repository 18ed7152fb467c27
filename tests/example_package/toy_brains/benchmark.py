from brainmark.core import Benchmark, BenchmarkCard, Experiment, Record, benchmarks, datasets, metrics, shuffled

CITE = "@misc{toy, title = {Toy brains}, author = {Example, Ada}, year = {2026}}"
CARD = BenchmarkCard(summary="Simulated neurons, by PLS.", licence="MIT", cite=CITE, domain="vision",
                     species=("simulation",), region="IT", parent="simulated", datasets=("Simulated.IT",),
                     metric="pls", simulated=True)  # fmt: skip


@benchmarks.add("Toy.IT-pls", card=CARD)
def toy_it_pls():
    from brainmark.metrics.statistics.ceilings import split_half

    study = datasets["Simulated.IT"].load()
    experiment = Experiment(study.stimuli, Record("IT"), study.setting)
    return Benchmark(
        "Toy.IT-pls", CARD, experiment, study.measurement, metrics["pls"].load(), split_half(), (shuffled(),)
    )
