"""A sense that Brainmark does not know: smell. Odours go in, glomeruli are recorded, an odour is named."""

from dataclasses import dataclass

from brainmark.core import (
    Ask,
    Comparison,
    InvalidMeasurement,
    MetricExample,
    ModelCard,
    NotApplicable,
    Record,
    Stimuli,
    Study,
    add_comparison,
    add_domain,
    add_modality,
    add_regions,
    metric,
    models,
    register_benchmark,
)  # fmt: skip
from brainmark.core.libraries import np, pd, xr

CITE = "@misc{toy, title = {Toy brains}, author = {Example, Ada}, year = {2026}}"
ODOURS, BULB = ("banana", "lemon", "rose", "vanilla"), "olfactory_bulb"


def odours(count):
    """Return odours as six descriptors of their molecules: length of the chain, polarity and so on."""
    generator, kind = np.random.default_rng(0), np.arange(count) % 4
    molecules = generator.normal(size=(4, 6))[kind] + 0.3 * generator.normal(size=(count, 6))
    ids = pd.Index([f"odour-{i}" for i in range(count)], name="stimulus_id")
    return Stimuli("odours", "odour", pd.DataFrame({"label": np.array(ODOURS)[kind]}, index=ids), tuple(molecules))


add_modality("odour", example=odours)
add_domain("olfaction", modality="odour")
add_regions("olfactory_epithelium", BULB, "piriform_cortex")


@dataclass(frozen=True)
class NameOdour(Ask):
    """Name the odour: presentation x choice, probabilities of the names."""

    dims = ("presentation", "choice")
    names: tuple[str, ...] = ODOURS

    def choices(self):
        return np.array(self.names)

    def check(self, answer, name):
        if set(answer.coords["choice"].values) != set(self.names):
            raise InvalidMeasurement(f"{name}: the choices are not the names that were asked for")


def answer(stimuli, values, **along):
    """Return numbers for each odour with the coordinates of a measurement."""
    coords = {"stimulus_id": ("presentation", stimuli.ids), **{c: (d, v) for c, (d, v) in along.items()}}
    return xr.DataArray(values, dims=("presentation", next(iter(along.values()))[0]), coords=coords)


def glomeruli(stimuli, count=20, seed=0):
    """Return the rectified responses of glomeruli, each to its own mixture of the descriptors."""
    weights = np.random.default_rng(seed).normal(size=(6, count))
    values = np.maximum(np.stack(list(stimuli.media)) @ weights, 0)
    names = [f"glomerulus-{i}" for i in range(count)]
    return answer(stimuli, values, neuroid_id=("neuroid", names), region=("neuroid", [BULB] * count))


@models.add("toy-nose", card=ModelCard(summary="Rectified mixtures of descriptors.", licence="MIT", cite=CITE,
                                       domain="olfaction", family="toy", regions=(BULB,)))  # fmt: skip
class Nose:
    identifier = "toy-nose"

    def perform(self, experiment):
        ask, stimuli = experiment.ask, experiment.stimuli
        if stimuli.modality != "odour":
            raise NotApplicable("toy-nose smells odours")
        if isinstance(ask, Record) and ask == Record(BULB):
            return glomeruli(stimuli, seed=1)
        if isinstance(ask, NameOdour):
            templates = glomeruli(odours(len(ask.names)), seed=1).values
            near = np.exp(-np.linalg.norm(glomeruli(stimuli, seed=1).values[:, None] - templates, axis=2))
            return answer(stimuli, near / near.sum(1, keepdims=True), choice=("choice", list(ask.names)))
        raise NotApplicable(f"toy-nose cannot answer {ask}")


study = Study(licence="MIT", cite=CITE, species="simulation", domain="olfaction", modality="odour", simulated=True)


@study.dataset("ToySmell.bulb", summary="Simulated glomeruli.", regions=(BULB,))
def bulb():
    shown = odours(80)
    return glomeruli(shown, count=12), shown


@study.dataset("ToySmell.names", summary="Simulated people who name odours.", regions=())
def names():
    shown = odours(80)
    shares = np.full((80, 4), 0.1) + 0.6 * (shown.table["label"].to_numpy()[:, None] == np.array(ODOURS))
    return answer(shown, shares, choice=("choice", list(ODOURS))).assign_coords(
        label=("presentation", shown.table["label"].to_numpy())
    ), shown


@add_comparison("odour maps")
def odour_maps(count, generator):
    """Return two maps of the same glomeruli, alike but for their scale."""
    measured = glomeruli(odours(count))
    return MetricExample(2.0 * measured, measured)


@metric("toy-odour-map", summary="Whether odours that are near in one map are near in the other.", cite=CITE,
        compares="odour maps", domain="olfaction")  # fmt: skip
def odour_map():
    def compare(prediction, target):
        pairs = [np.linalg.norm(m.values[:, None] - m.values[None], axis=2)[np.triu_indices(len(m), 1)]
                 for m in (prediction, target)]  # fmt: skip
        flat = min(np.ptp(p) for p in pairs) == 0
        r = np.nan if flat else np.corrcoef(*pairs)[0, 1]
        return Comparison(xr.DataArray([r], dims="map", coords={"map": ["whole"]}))

    return compare


register_benchmark("ToySmell.bulb-odour_map", "ToySmell.bulb", "toy-odour-map", summary="Maps of the bulb.")
register_benchmark(
    "ToySmell.names-top1", "ToySmell.names", "accuracy", summary="Odours that are named.", ask=NameOdour(),
    region="behavior",
)  # fmt: skip
