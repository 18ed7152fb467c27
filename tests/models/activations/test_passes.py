"""Modules as people write them: odd layers, odd draws, odd weights."""

from __future__ import annotations

import random
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from brainmark.core import benchmarks
from brainmark.core.errors import InvalidModel, InvalidStimuli, ModelError
from brainmark.models.activations.extract import Extractor
from brainmark.models.activations.hooks import digest_of_weights
from brainmark.models.activations.passes import compute_in
from brainmark.models.described.depth import guess_layers
from brainmark.models.subjects.coerce import as_subject
from brainmark.models.subjects.vision import VisionSubject

IMAGES = np.random.default_rng(0).random((7, 3, 16, 16), np.float32)


class Network(nn.Module):
    """A convolution and what `middle` makes of its output."""

    def __init__(self, middle=lambda x: x, **norm):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.middle = nn.Conv2d(3, 4, 3, padding=1), middle
        self.norm, self.last = nn.BatchNorm2d(4, **norm), nn.Conv2d(4, 5, 3)

    def forward(self, x):
        return self.last(self.norm(self.middle(self.first(x))))


# --- answers that depend on what else is shown


def test_a_layer_that_normalises_over_the_batch_is_told():
    network = Network(track_running_stats=False)
    with pytest.raises(
        ModelError, match=r"'norm' of Network gives another answer to a stimulus when others are shown with it"
    ):
        Extractor(network)(IMAGES, ["norm"])
    found = Extractor(network)(IMAGES, ["first"])["first"]  # what comes before it is as it should be
    np.testing.assert_allclose(found, Extractor(network, batch=1)(IMAGES, ["first"])["first"], atol=1e-5)
    alone = Extractor(network, batch=1)(IMAGES, ["norm"])["norm"]  # each by itself, as the error says
    np.testing.assert_allclose(alone.mean((2, 3)), 0, atol=1e-5)


def test_rounding_between_batches_is_no_such_difference():
    network = Network(lambda x: (x > x.mean((1, 2, 3), keepdim=True)).float())  # units that switch at a threshold
    assert Extractor(network)(IMAGES, ["output"])["output"].shape == (7, 5, 14, 14)


def test_what_rounding_leaves_of_nothing_is_no_such_difference():
    class Silent(nn.Module):
        """Zeros, but for what rounding leaves where stimuli are not alone."""

        def forward(self, x):
            return torch.full((len(x), 8), 1e-9 if len(x) > 1 else 0.0)

    found = Extractor(nn.Sequential(Silent()))(IMAGES, ["0"])["0"]
    np.testing.assert_allclose(found, 0, atol=1e-8)


# --- random numbers of other libraries


@pytest.mark.parametrize(
    "draw", [np.random.standard_normal, lambda: random.gauss(0, 1), lambda: float(torch.randn(()))]
)
def test_draws_of_any_library_come_from_the_seed_and_stay_there(draw):
    extractor = Extractor(Network(lambda x: x + draw()))
    before = draws()
    first = extractor(IMAGES, ["output"], seed=3)["output"]
    second = extractor(IMAGES[::-1].copy(), ["output"], seed=3)["output"][::-1]
    assert draws() == before
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, extractor(IMAGES, ["output"], seed=4)["output"])
    with pytest.raises(ModelError, match="draws random numbers"):
        extractor(IMAGES, ["output"])
    assert draws() == before


def test_a_network_that_sets_the_seed_does_not_set_it_for_others():
    def middle(x):
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002 - what people write
        return x + torch.randn(4, 1, 1)

    before = draws()
    Extractor(Network(middle))(IMAGES, ["output"])
    assert draws() == before


def draws():
    """State of the generators that everybody shares."""
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002


# --- tensors of other kinds


def test_sparse_tensors_on_the_way_do_no_harm_and_as_a_layer_are_told():
    def through_sparse(x):
        return torch.sparse.mm(torch.eye(16).to_sparse(), x.reshape(-1, 16).T).T.reshape(x.shape)

    found = Extractor(Network(through_sparse))(IMAGES, ["output"])["output"]
    np.testing.assert_allclose(found, Extractor(Network())(IMAGES, ["output"])["output"], atol=1e-6)
    sparse = nn.Sequential(Network(), Sparse())
    with pytest.raises(ModelError, match=r"'1': its output is a sparse tensor of shape \(1, 5, 14, 14\)"):
        Extractor(sparse)(IMAGES, ["1"])
    assert "1" not in Extractor(sparse).layers(IMAGES)


class Sparse(nn.Module):
    """Puts out a sparse tensor."""

    def forward(self, x):
        return x.to_sparse()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors_of_padded_texts_are_left_out_of_all():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.words, self.encoder = nn.Embedding(9, 8, padding_idx=0), nn.TransformerEncoder(layer, 2)

        def forward(self, x):
            return self.encoder(self.words(x), src_key_padding_mask=x == 0)

    texts = [np.array([1, 2, 3, 0]), np.array([4, 5, 6, 7]), np.array([8, 0, 0, 0])]
    layers = Extractor(Reader().eval()).layers(texts)
    assert {"words", "encoder"} <= set(layers)


# --- weights without values, inputs, names


def test_weights_without_values_are_told_before_anything_runs():
    with torch.device("meta"):
        nowhere = Network()
    with pytest.raises(InvalidModel, match=r"Network: first.weight is on the device 'meta'"):
        Extractor(nowhere)(IMAGES, ["first"])
    lazy = nn.Sequential(nn.LazyConv2d(4, 3))
    for use in (lambda: Extractor(lazy)(IMAGES, ["0"]), lambda: digest_of_weights(lazy)):
        with pytest.raises(InvalidModel, match=r"0.weight has no shape yet, .* call the network once first"):
            use()
    lazy(torch.from_numpy(IMAGES))
    assert Extractor(lazy)(IMAGES, ["0"])["0"].shape == (7, 4, 14, 14)


def test_what_is_no_module_and_no_stimuli_are_told():
    with pytest.raises(InvalidModel, match="module is a function"):
        Extractor(lambda x: x)
    with pytest.raises(InvalidStimuli, match="no stimuli to show to Network"):
        Extractor(Network())(IMAGES[:0], ["first"])


def test_one_layer_may_be_given_by_its_name():
    assert list(Extractor(Network())(IMAGES, "first")) == ["first"]


def test_movements_come_as_mappings_or_tuples_of_arrays():
    class Muscles(nn.Module):
        def __init__(self):
            super().__init__()
            self.drive = nn.Linear(4, 3)

        def forward(self, position, velocity):
            return self.drive(torch.cat([position, velocity], -1))

    rng = np.random.default_rng(1)
    pairs = [(rng.normal(size=(9, 2)), rng.normal(size=(9, 2))) for _ in range(5)]
    named = [{"velocity": velocity, "position": position} for position, velocity in pairs]
    network = Muscles()
    by_place, by_name = (Extractor(network)(media, "output")["output"] for media in (pairs, named))
    np.testing.assert_array_equal(by_place, by_name)
    assert by_place.shape == (5, 9, 3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_layers_are_chosen_in_any_precision(dtype):
    assert set(guess_layers(Network().to(dtype), 16).regions) == {"V1", "V2", "V4", "IT"}


# --- networks that look back, write into their input, or come compiled


@pytest.mark.parametrize("flip", [False, True])
def test_a_network_that_takes_stimuli_for_time_is_told(flip):
    """Recurrence over the first dimension leaves what comes first (or last) as it is alone."""

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.cells = nn.LSTM(6, 8)  # without batch_first

        def forward(self, x):
            return self.cells(x.flip(0) if flip else x)[0].flip(0) if flip else self.cells(x)[0]

    frames = np.random.default_rng(0).random((9, 12, 6), np.float32)
    with pytest.raises(
        ModelError, match=r"'cells' of Reader gives another answer to a stimulus .* say batch_first=True"
    ):
        Extractor(Reader())(frames, ["cells"])


@pytest.mark.parametrize("batch", [2, 4, 7])
def test_repeats_stay_in_their_places_whatever_the_batch(batch):
    order = np.array([0, 0, 1, 2, 1, 3, 0, 4, 5, 5, 6])
    found = Extractor(nn.Flatten(), batch=batch)(IMAGES[order], ["output"])["output"]
    np.testing.assert_array_equal(found, IMAGES[order].reshape(len(order), -1))


def test_a_network_may_normalise_its_input_in_place():
    class Normalises(Network):
        def forward(self, x):
            return super().forward(x.sub_(0.5).div_(0.25))

    before = IMAGES.copy()
    found = Extractor(Normalises())(IMAGES, ["output"])["output"]
    np.testing.assert_array_equal(IMAGES, before)
    expected = Extractor(Network())((IMAGES - np.float32(0.5)) / np.float32(0.25), ["output"])["output"]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # torch warns of itself
def test_compiled_networks_answer_as_those_they_were_made_of():
    expected = Extractor(Network())(IMAGES, "all")
    whole, within, itself = torch.compile(Network()), nn.Sequential(torch.compile(Network())), Network()
    itself.compile()
    for network, prefix in ((whole, "_orig_mod."), (within, "0._orig_mod."), (itself, "")):
        found = Extractor(network)(IMAGES, [prefix + layer for layer in expected])
        for layer, values in expected.items():
            np.testing.assert_array_equal(found[prefix + layer], values)
        assert Extractor(network)(IMAGES, ["output"])["output"].shape == (7, 5, 14, 14)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_exported_programs_are_modules_or_say_how_they_become_some():
    shape = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(Network().eval(), (torch.from_numpy(IMAGES),), dynamic_shapes=shape)
    expected = Extractor(Network())(IMAGES, ["output"])["output"]
    for module in (program.module(), nn.Sequential(program.module()), torch.export.unflatten(program)):
        np.testing.assert_allclose(Extractor(module)(IMAGES, ["output"])["output"], expected, atol=1e-6)
    with pytest.raises(InvalidModel, match=r"a ExportedProgram; .*; torch.export.unflatten\(program\)"):
        Extractor(program)
    with pytest.raises(TypeError, match=r"a ExportedProgram is not a subject.*; torch.export.unflatten\(program\)"):
        as_subject(program)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_layers_of_torchscript_are_refused_and_its_output_can_be_read():
    class Calls(nn.Module):
        def __init__(self, program):
            super().__init__()
            self.program = program

        def forward(self, x):
            return self.program(x)

    scripted = torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(768, 3)))
    for layer in ("output", "1"):
        with pytest.raises(InvalidModel, match="layers of TorchScript cannot be recorded"):
            Extractor(scripted)(IMAGES, [layer])
    assert Extractor(Calls(scripted))(IMAGES, ["output"])["output"].shape == (7, 3)
    traced = torch.jit.trace(nn.Sequential(nn.Flatten(), nn.Linear(768, 3)).eval(), torch.from_numpy(IMAGES))
    with pytest.raises(ModelError, match=r"'1' .* does not run in its forward pass: layers of TorchScript"):
        Extractor(traced)(IMAGES, ["1"])


# --- networks whose forward pass takes gradients


class Descends(nn.Module):
    """Infers what would predict its input by descent on the error, as predictive coding does."""

    def __init__(self, context):
        super().__init__()
        torch.manual_seed(0)
        self.context, self.predict, self.inferred = context, nn.Linear(4, 12), nn.Identity()

    def forward(self, x):
        with self.context():
            causes = torch.zeros(len(x), 4, requires_grad=True)
            for _ in range(3):
                error = ((x - self.predict(causes)) ** 2).sum()
                (slope,) = torch.autograd.grad(error, causes)
                causes = (causes - 0.05 * slope).detach().requires_grad_()
        return self.inferred(causes)


@pytest.mark.parametrize("context", [torch.enable_grad, nullcontext])
def test_a_forward_pass_may_take_gradients(context):
    network, shown = Descends(context), np.random.default_rng(0).normal(size=(20, 12)).astype(np.float32)
    weight, bias = (p.detach().double().numpy() for p in network.predict.parameters())
    causes = np.zeros((20, 4))
    for _ in range(3):
        causes -= 0.05 * -2 * (shown - causes @ weight.T - bias) @ weight
    extractor = Extractor(network, batch=8)
    found = extractor(list(shown), ["inferred", "predict"])
    np.testing.assert_allclose(found["inferred"], causes, rtol=1e-5, atol=1e-6)
    assert extractor.layers(list(shown)) == ["predict@0", "predict@1", "predict@2", "inferred"]
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


def test_errors_about_gradients_that_remain_are_the_network_s_own():
    class Detached(nn.Module):
        def forward(self, x):
            return torch.autograd.grad(x.detach().sum(), x)[0]

    with pytest.raises(RuntimeError, match="does not require grad"):
        Extractor(Detached())(list(IMAGES), ["output"])


# --- what went wrong says where


def test_the_first_of_several_broken_stimuli_is_named_wherever_it_stands_in_its_batch():
    class Breaks(nn.Module):
        def forward(self, x):
            return (x / (x.amax((1, 2, 3), keepdim=True) < 2)).flatten(1)  # by zero where a pixel is 2 or more

    for broken in ([0, 1, 5], [2, 3], [6]):
        images = IMAGES.copy()
        images[broken, 0, 0, 0] = 2.0
        with pytest.raises(ModelError, match=f"activations to stimulus {broken[0]} are NaN or infinite"):
            Extractor(Breaks())(images, ["output"])


def test_a_network_that_fails_on_the_first_stimulus_says_on_what_shape():
    with pytest.raises(RuntimeError) as caught:
        Extractor(nn.Sequential(nn.Flatten(), nn.Linear(5, 3)))(IMAGES, ["1"])
    assert caught.value.__notes__ == ["in the forward pass of Sequential on one stimulus, of shape (1, 3, 16, 16)"]
    subject = VisionSubject("narrow", nn.Sequential(nn.Flatten(), nn.Linear(5, 3)), {"IT": "1"}, size=16)
    with pytest.raises(
        ModelError, match=r"narrow .*cannot be multiplied .* \(in the forward pass of Sequential on one"
    ):
        benchmarks["Simulated.IT-ridge"].load()(subject)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_told(device):
    with pytest.raises(InvalidModel, match=f"device = '{device}': .*; give 'cpu', or one that is here"):
        Extractor(Network(), device=device)(IMAGES, ["first"])


@pytest.mark.parametrize("reduction", ["mean", 3])
def test_what_is_no_reduction_no_batch_and_no_list_is_told(reduction):
    with pytest.raises(InvalidModel, match=r"'first': its reduction is .*; give a function, such as SpatialMean"):
        Extractor(Network())(IMAGES, {"first": reduction})
    with pytest.raises(ModelError, match=r"'first': its reduction makes \(\) of \(1, 4, 16, 16\)"):
        Extractor(Network())(IMAGES, {"first": torch.mean})
    for batch in (0, 2.5, True):
        with pytest.raises(InvalidModel, match=f"Extractor: batch is {batch}; give a number of stimuli"):
            Extractor(Network(), batch=batch)
    with pytest.raises(InvalidStimuli, match="stimuli are a generator, without a length; give a list"):
        Extractor(Network())((image for image in IMAGES), ["first"])


def test_normalisation_that_keeps_training_neither_sees_the_batch_nor_learns_from_it():
    class Stubborn(Network):
        def train(self, mode=True):
            return super().train(True)

    network = Stubborn()
    network.norm.running_mean.normal_()
    before = network.norm.running_mean.clone()
    found = Extractor(network)(IMAGES, ["norm"])["norm"]
    assert torch.equal(network.norm.running_mean, before) and network.norm.training
    alone = np.concatenate([Extractor(network)(IMAGES[i : i + 1], ["norm"])["norm"] for i in range(len(IMAGES))])
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_single_precision_on_cuda_keeps_its_digits():
    """PyTorch lets convolutions there drop 13 of 23 bits, unless it is told otherwise."""
    before = torch.backends.cudnn.allow_tf32
    with compute_in("float32", "cuda"):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
    with compute_in("float32", "cpu"):
        assert torch.backends.cudnn.allow_tf32 == before
