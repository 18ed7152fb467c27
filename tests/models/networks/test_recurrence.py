from __future__ import annotations

import pytest
import torch
from torch import Tensor

from brainmark.models.networks.recurrence import Area, Order, unroll


class Counter(Area):
    """Adds 1 to what comes from below, a hundredth of its own last state and a thousandth of that above."""

    def __init__(self, rests: bool = False) -> None:
        super().__init__()
        self.rests, self.seen = rests, []

    def drive(self, below: Tensor) -> Tensor:
        return below + 1

    def rest(self, image: Tensor) -> Tensor | None:
        return torch.zeros_like(image) if self.rests else None

    def forward(self, drive: Tensor, own: Tensor | None, above: Tensor | None, step: int) -> Tensor:
        self.seen.append(step)
        nothing = torch.zeros_like(drive)
        return drive + 0.01 * (nothing if own is None else own) + 0.001 * (nothing if above is None else above)


IMAGE = torch.zeros((1, 1))


def test_with_delays_each_area_begins_a_step_later():
    areas = [Counter() for _ in range(3)]
    last = unroll(areas, IMAGE, 4, "delayed")
    assert [a.seen for a in areas] == [[0, 1, 2, 3], [1, 2, 3], [2, 3]]
    first = [1, 1.01, 1.0121, 1.013122]  # of the lowest area; from its third state on the second answers back
    first[2] = 1 + 0.01 * first[1] + 0.001 * (first[0] + 1)
    second = [first[0] + 1, first[1] + 1 + 0.01 * (first[0] + 1)]
    expected = second[1] + 1 + 0.01 * (second[0] + 1)
    assert float(last) == pytest.approx(expected)


def test_a_sweep_passes_all_areas_in_one_step():
    areas = [Counter() for _ in range(3)]
    assert float(unroll(areas, IMAGE, 1, "sweep")) == 3
    assert [a.seen for a in areas] == [[0]] * 3


def test_areas_may_run_before_a_signal_arrives():
    areas = [Counter(rests=True) for _ in range(3)]
    unroll(areas, IMAGE, 3, "delayed")
    assert [a.seen for a in areas] == [[0, 1, 2]] * 3
    late = [Counter(rests=True) for _ in range(3)]
    assert float(unroll(late, IMAGE, 2, "sweep after the first step")) > 3


def test_frames_are_shown_one_by_one():
    def seen(frames: Tensor) -> float:
        return float(unroll([Counter()], frames.view(1, -1, 1, 1, 1), frames.numel(), "sweep"))

    assert seen(torch.tensor([0.0, 0.0, 5.0])) - seen(torch.zeros(3)) == pytest.approx(5)
    assert seen(torch.tensor([5.0, 0.0, 0.0])) - seen(torch.zeros(3)) == pytest.approx(5e-4, abs=1e-6)


@pytest.mark.parametrize(("order", "steps"), [("delayed", 2), ("sweep", 0), ("sweep after the first step", 1)])
def test_too_few_steps_are_refused(order: Order, steps: int):
    with pytest.raises(ValueError, match="to reach the highest of 3 areas"):
        unroll([Counter() for _ in range(3)], IMAGE, steps, order)


def test_another_number_of_frames_is_refused():
    with pytest.raises(ValueError, match="3 frames for 4 steps"):
        unroll([Counter()], torch.zeros((1, 3, 1, 1, 1)), 4)
