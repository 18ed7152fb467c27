"""The pretended device is as strict as a real one: what is wrong there is wrong on it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from brainmark.testing.pretended import MixedDevices, pretend_devices  # noqa: E402

X = np.arange(12.0).reshape(3, 4)


def far(name: str = "pretended:1"):
    return torch.from_numpy(X.copy()).to(name)


def test_numbers_go_there_and_come_back():
    with pretend_devices() as devices:
        x = far()
        x[0] = 5
        x[:, 1:] *= 2
        product = x @ x.mT
        spare = torch.matmul(x, x.mT, out=torch.empty_like(product))
        assert spare.device == product.device == torch.device("pretended:1")
        assert float(product.sum()) == float(spare.cpu().sum())
        found = product.cpu().numpy()
    y = X.copy()
    y[0] = 5
    y[:, 1:] *= 2
    np.testing.assert_array_equal(found, y @ y.T)
    assert devices.done["pretended:1"] > 3 and not devices.done["pretended:0"]


def test_what_is_made_there_lies_there():
    with pretend_devices():
        made = [
            torch.zeros(2, device="pretended"),
            torch.arange(3, device="pretended:0"),
            torch.tensor([1.0], device="pretended:0"),
        ]
        assert {str(one.device) for one in made} == {"pretended:0"}
        assert str(torch.empty_like(made[0]).device) == "pretended:0"


def test_a_part_that_was_left_on_the_cpu_is_refused():
    with pretend_devices():
        x = far()
        assert (x + 1 + torch.tensor(1.0)).shape == (3, 4)  # single numbers may come from anywhere, as on CUDA
        assert x[torch.tensor([0, 2])].shape == (2, 4)  # and so may positions
        for other in (torch.ones(3, 4), far("pretended:0")):
            for use in (lambda o=other: x + o, lambda o=other: torch.cat([x, o]), lambda o=other: x.mul_(o)):
                with pytest.raises(MixedDevices):
                    use()


def test_numpy_cannot_read_it():
    with pretend_devices():
        for use in (far().numpy, lambda: np.asarray(far())):
            with pytest.raises(TypeError, match=r"Use Tensor\.cpu\(\)"):
                use()


def test_it_can_lack_double_precision_and_memory():
    with pretend_devices(double=False), pytest.raises(TypeError, match="float64"):
        far()
    with pretend_devices(largest=64), pytest.raises(torch.OutOfMemoryError):
        far()


def test_networks_run_on_it():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.LazyLinear(2)).eval()
    images = torch.from_numpy(np.random.default_rng(0).random((2, 3, 5, 5), dtype=np.float32))
    with torch.inference_mode():
        wanted = net(images)
        with pretend_devices():
            net.to("pretended:1")
            found = net(images.to("pretended:1")).cpu()
            with pytest.raises(MixedDevices):
                net(images)
            net.to("cpu")
    torch.testing.assert_close(found, wanted)


def test_states_of_random_numbers_can_be_kept_beside_it() -> None:
    with pretend_devices():
        pass
    torch.manual_seed(0)
    with torch.random.fork_rng():
        first = torch.rand(2)
    assert torch.equal(first, torch.rand(2))
