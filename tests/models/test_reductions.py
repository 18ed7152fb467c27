from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brainmark.core.errors import ModelError, ResourceError
from brainmark.models.activations import pca as module
from brainmark.models.activations.extract import Extractor
from brainmark.models.activations.pca import fit_pca
from brainmark.models.activations.reductions import MeanOver, Projection, SpatialMean, TakeAt, distortion


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 3, 9, 9), np.float32)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.maps, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x).relu().mean((2, 3)))


# --- means and positions ---------------------------------------------------------------------------------------------


def test_means_and_positions():
    values = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).view(2, 3, 4, 5)
    np.testing.assert_allclose(SpatialMean()(values), values.numpy().mean((2, 3)))
    assert SpatialMean()(values[:, :, 0]) is not None and SpatialMean()(values[..., 0]).shape == (2, 3, 4)
    np.testing.assert_allclose(MeanOver((1, 3))(values), values.numpy().mean((1, 3)))
    np.testing.assert_array_equal(TakeAt(-1)(values), values[:, -1])
    np.testing.assert_array_equal(TakeAt(0, dim=3)(values), values[..., 0])
    with pytest.raises(ValueError, match=r"dims = \(0,\); dimension 0 holds the stimuli"):
        MeanOver((0,))


# --- random projections ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nonzeros", [1, 4])
def test_distances_are_kept_within_the_stated_bound(nonzeros: int):
    random = np.random.default_rng(0)
    active = np.maximum(random.normal(size=(60, 20_000)) - 1, 0).astype(np.float32)  # most units are silent
    projection = Projection(1500, nonzeros=nonzeros)
    off = distortion(active, projection(torch.from_numpy(active)).numpy())
    assert 0.02 < off < projection.eps(60) < 0.2


def test_the_stated_bound_is_kept_by_all_but_few_seeds():
    dense = np.random.default_rng(1).normal(size=(150, 2000)).astype(np.float32)
    off = np.array([distortion(dense, Projection(500, seed)(torch.from_numpy(dense)).numpy()) for seed in range(25)])
    assert (off <= Projection(500).eps(150)).all()
    assert off.max() > 0.7 * Projection(500).eps(150)  # the bound is of the right size
    with pytest.raises(ValueError, match="risk = 0; give the share of seeds"):
        Projection(500).eps(150, risk=0)


def test_lengths_are_kept_on_average_and_each_dimension_is_used():
    one = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 700)).astype(np.float32))
    projected = torch.cat([Projection(50, seed, 3)(one) for seed in range(400)])
    squares = projected.square().sum(1).numpy() / float(one.square().sum())
    assert abs(squares.mean() - 1) < 4 * squares.std() / np.sqrt(400)
    assert 0.5 < squares.std() / np.sqrt(2 / 50) < 1.3
    assert (projected != 0).all(0).all()


def test_a_projection_is_linear_seeded_and_leaves_small_layers():
    random = np.random.default_rng(0)
    a, b = (torch.from_numpy(random.normal(size=(3, 4, 25)).astype(np.float32)) for _ in range(2))
    projection = Projection(30)
    assert projection(a).shape == (3, 30)
    torch.testing.assert_close(projection(a) + 2 * projection(b), projection(a + 2 * b), atol=1e-4, rtol=1e-4)
    assert (projection(a) == Projection(30)(a)).all() and (projection(a) != Projection(30, seed=1)(a)).any()
    torch.testing.assert_close(Projection(100)(a), a.flatten(1))


def test_dimensions_and_bound_are_inverse():
    for eps in (0.1, 0.3, 0.9):
        projection = Projection.within(eps, 1000)
        assert projection.eps(1000) <= eps < Projection(projection.dimensions - 1).eps(1000)
    assert Projection.within(0.1, 1000).dimensions == 7895  # 2 ln (1000 x 999 / .01) / (.1 ** 2 / 2 - .1 ** 3 / 3)
    assert Projection(20).eps(1000) == np.inf
    for eps, stimuli in ((0, 5), (1, 5), (0.5, 1)):
        with pytest.raises(ValueError, match="give 0 < eps < 1 and two or more"):
            Projection.within(eps, stimuli)
    with pytest.raises(ValueError, match="5 nonzeros in 4 dimensions"):
        Projection(4, nonzeros=5)


def test_the_extractor_projects_as_layers_run():
    net, media = Net(), images(9)
    whole = Extractor(net)(media, ["maps"])["maps"]
    found = Extractor(net, batch=4)(media, {"maps": Projection(40)})["maps"]
    np.testing.assert_allclose(found, Projection(40)(torch.from_numpy(whole)), atol=1e-5)


# --- principal components --------------------------------------------------------------------------------------------


def test_components_are_those_of_a_singular_value_decomposition_and_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    net, media, others = Net(), images(30), images(7, seed=1)
    whole, new = (Extractor(net)(m, ["maps"])["maps"].reshape(len(m), -1) for m in (media, others))
    fitted = fit_pca(Extractor(net), media, ["maps"], 12)["maps"]
    _, singular, rows = np.linalg.svd(whole.astype(np.float64) - whole.mean(0, np.float64), full_matrices=False)
    np.testing.assert_allclose(fitted.variance, singular[:12] ** 2 / 29, rtol=1e-5)
    np.testing.assert_allclose(np.abs((fitted.components * rows[:12]).sum(1)), 1, atol=1e-5)
    theirs = decomposition.PCA(12, svd_solver="full").fit(whole.astype(np.float64))
    np.testing.assert_allclose(fitted.share, theirs.explained_variance_ratio_, rtol=1e-5)
    scores = Extractor(net)(others, {"maps": fitted})["maps"]
    np.testing.assert_allclose(scores, theirs.transform(new.astype(np.float64)), atol=1e-4)


def test_no_more_components_than_there_is_variance():
    net, media = Net(), images(6)
    assert len(fit_pca(Extractor(net), media, ["maps"], 1000)["maps"].components) == 5
    few = media[[0, 1, 2, 0, 1, 2]]
    assert len(fit_pca(Extractor(net), few, ["maps"])["maps"].components) == 2
    with pytest.raises(ModelError, match=r"'maps': its activations to the 2 stimuli are all alike"):
        fit_pca(Extractor(net), media[[0, 0]], ["maps"])
    with pytest.raises(ValueError, match="of 1 stimuli"):
        fit_pca(Extractor(net), media[:1], ["maps"])


def test_components_behind_another_reduction_and_of_all_layers():
    net, media = Net(), images(8)
    fitted = fit_pca(Extractor(net), media, {"all": SpatialMean()}, 3)
    assert list(fitted) == ["maps", "head"]
    scores = Extractor(net)(media, fitted)
    means = Extractor(net)(media, {"maps": SpatialMean()})["maps"]
    expected = (means - means.mean(0)) @ fitted["maps"].components.T
    np.testing.assert_allclose(scores["maps"], expected, atol=1e-5)


def test_components_of_blocks_and_in_files_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    net, media = Net(), images(12)
    whole = fit_pca(Extractor(net), media, ["maps"], 6)["maps"]
    monkeypatch.setattr(module, "_BLOCK", 12 * 8 * 50)
    filed = fit_pca(Extractor(net), media, ["maps"], 6, into=tmp_path)["maps"]
    assert isinstance(filed.components, np.memmap) and [p.name for p in tmp_path.iterdir()] == ["maps.npy"]
    np.testing.assert_allclose(filed.components, whole.components, atol=1e-6)
    np.testing.assert_allclose(filed.mean, whole.mean, atol=1e-7)
    np.testing.assert_allclose(Extractor(net)(media, {"maps": filed})["maps"].std(0, ddof=1) ** 2, filed.variance, 1e-4)


def test_components_that_do_not_fit_name_the_way_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "available_memory", lambda: 1000)
    with pytest.raises(
        ResourceError, match=r"3 components of 392 units need 4.6 KiB, but 1000 bytes .* \(into=FOLDER\)"
    ):
        fit_pca(Extractor(Net()), images(5), ["maps"], 3)
