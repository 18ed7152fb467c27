"""Relations between scores over models: whether models that are better at one thing are better at another.

Models are the units. A few families of models are fewer than they look: members of a family share data, design and
training, and go together whatever is measured. With `families`, whole families are drawn for the interval, and p comes
from a test that knows them (wild cluster bootstrap).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from brainmark.core.errors import InvalidMeasurement, UnknownName
from brainmark.core.libraries import np, pd, scipy
from brainmark.core.score import Interval
from brainmark.metrics.statistics.inference import false_discovery_rate, holm

Method = Literal["pearson", "spearman"]
Correction = Literal["fdr", "holm"]
FEWEST = 4
"""Smallest number of models for a correlation; with three, it has no meaning."""
_FEWEST_DRAWN = 3
_ALL_SIGNS = 12  # families up to which all signs are tried


@dataclass(frozen=True)
class Relation:
    """A correlation over models.

    Attributes
    ----------
    x, y : columns of the table.
    method : "pearson" or "spearman" (of ranks).
    r : correlation.
    interval : 95 %, bias-corrected and accelerated bootstrap over models, or over families; None: it is not defined.
    p : two-sided, of no relation.
    q : p corrected over all relations that were computed together; NaN: there is one.
    models, families : names, in the order of the values; families are empty where they are not taken into account.
    xs, ys : values.
    left_out : models that lack x or y.
    """

    x: str
    y: str
    method: Method
    r: float
    interval: Interval | None
    p: float
    models: tuple[str, ...]
    families: tuple[str, ...]
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    left_out: int = 0
    q: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dictionary, ready for JSON."""
        plain = {name: value for name, value in self.__dict__.items() if name not in ("models", "families", "xs", "ys")}
        plain["q"] = None if math.isnan(self.q) else self.q
        points = zip(self.models, self.xs, self.ys, strict=True)
        return {**plain, "n": len(self.models), "points": [{"model": m, "x": x, "y": y} for m, x, y in points]}


def check_options(method: str, correction: str = "fdr") -> None:
    """Refuse what is no method or no correction. Raises UnknownName."""
    for what, name, known in (("method", method, get_args(Method)), ("correction", correction, get_args(Correction))):
        if name not in known:
            raise UnknownName(what, name, known, f" ({' or '.join(known)})")


def relate(
    table: pd.DataFrame,
    x: str,
    y: str,
    *,
    method: Method = "pearson",
    families: Mapping[str, str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Relation:
    """Correlate two columns of a table over the models that have both.

    Parameters
    ----------
    table : model (index) x scores; NaN where there is none.
    x, y : columns.
    method : "pearson", or "spearman" for any relation that rises or falls throughout.
    families : model -> family; models without one are families of their own. None: all models count as independent,
        and p is that of Student's t with n - 2 degrees of freedom.
    resamples, seed : of the bootstrap; 0: no interval.

    Raises
    ------
    UnknownName : no such column or method.
    InvalidMeasurement : fewer than four models (or three families), or no spread.
    """
    check_options(method)
    for column in (x, y):
        if column not in table.columns:
            raise UnknownName("column", column, map(str, table.columns), f" (columns: {', '.join(map(str, table))})")
    pair = table[[x, y]].astype(float).to_numpy()
    known = np.asarray(np.isfinite(pair).all(axis=1))
    names = [str(name) for name, both in zip(table.index, known, strict=True) if both]
    values = pair[known]
    groups = names if families is None else [families.get(name, name) for name in names]
    _check(x, y, values, groups, families is not None)
    r = float(_correlate(values[None], method)[0])
    return Relation(
        x=x,
        y=y,
        method=method,
        r=r,
        interval=_find_interval(values, groups, method, resamples, seed) if resamples else None,
        p=p_of(r, len(names)) if families is None else p_by_families(values, groups, method, seed),
        models=tuple(names),
        families=() if families is None else tuple(groups),
        xs=tuple(values[:, 0].tolist()),
        ys=tuple(values[:, 1].tolist()),
        left_out=int((~known).sum()),
    )


def relate_all(
    table: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    *,
    method: Method = "pearson",
    families: Mapping[str, str] | None = None,
    correction: Correction = "fdr",
    resamples: int = 10_000,
    seed: int = 0,
) -> list[Relation]:
    """Relate several pairs (x, y) of columns, with p corrected over them; see `relate`.

    Parameters
    ----------
    correction : "fdr" (Benjamini & Hochberg 1995) or "holm" (Holm 1979: the chance of any false one).
    """
    check_options(method, correction)
    made = [relate(table, x, y, method=method, families=families, resamples=resamples, seed=seed) for x, y in pairs]
    p = np.array([relation.p for relation in made])
    q = false_discovery_rate(p) if correction == "fdr" else holm(p)
    return [replace(one, q=float(value)) for one, value in zip(made, q, strict=True)]


def p_of(r: float, models: int) -> float:
    """Return the two-sided p of a correlation over independent models: Student's t with n - 2 degrees of freedom."""
    if abs(r) >= 1:
        return 0.0
    t = abs(r) * math.sqrt((models - 2) / (1 - r * r))
    return float(2 * scipy.special.stdtr(models - 2, -t))


def p_by_families(values: np.ndarray, groups: Sequence[str], method: Method = "pearson", seed: int = 0) -> float:
    """Return two-sided p of a correlation over models in families: wild cluster bootstrap (Cameron et al. 2008, 3).

    The t of the slope has a variance that is robust to what a family has in common; its distribution without a
    relation is that of residuals whose signs are turned family by family: all ways up to 12 families, else 9,999. Of G
    families p is therefore never below 2^(1 - G).

    Parameters
    ----------
    values : (models, 2) x and y.
    groups : family of each.
    """
    x, y = (scipy.stats.rankdata(values, axis=0) if method == "spearman" else values).T
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    count = int(codes.max()) + 1
    if count <= _ALL_SIGNS:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=count)))
    else:
        drawn = np.random.default_rng(seed).choice((1.0, -1.0), size=(9_999, count))
        signs = np.concatenate([np.ones((1, count)), drawn])
    residual = y - y.mean()
    t = np.abs(_cluster_t(x, y.mean() + signs[:, codes] * residual, codes, count))
    return float((t >= t[0] * (1 - 1e-9)).mean())


def _cluster_t(x: np.ndarray, y: np.ndarray, codes: np.ndarray, count: int) -> np.ndarray:
    """Return the slope over its cluster-robust standard error, for each row of y (rows, models)."""
    centred = x - x.mean()
    size = centred @ centred
    y = y - y.mean(axis=1, keepdims=True)
    slope = y @ centred / size
    member = (codes[:, None] == np.arange(count)).astype(float)
    scores = ((y - slope[:, None] * centred) * centred) @ member
    spread = np.sqrt((scores**2).sum(axis=1)) / size
    return np.divide(slope, spread, out=np.full(len(slope), np.inf), where=spread > 0)


def _check(x: str, y: str, values: np.ndarray, groups: Sequence[str], grouped: bool) -> None:
    if len(values) < FEWEST:
        raise InvalidMeasurement(f"{x} and {y}: {len(values)} models have both; a correlation needs at least {FEWEST}")
    if grouped and len(set(groups)) < 3:
        raise InvalidMeasurement(
            f"{x} and {y}: the {len(values)} models are of {len(set(groups))} families; a relation between families "
            "needs at least three"
        )
    for name, column in zip((x, y), values.T, strict=True):
        if np.ptp(column) <= 1e-12 * np.abs(column).max():
            raise InvalidMeasurement(f"{name}: all {len(column)} models have the same value")


def _correlate(values: np.ndarray, method: Method) -> np.ndarray:
    """Correlate values (draws, models, 2) -> (draws,); NaN without spread."""
    if method == "spearman":
        values = scipy.stats.rankdata(values, axis=1)
    values = values - values.mean(axis=1, keepdims=True)
    xy = (values[..., 0] * values[..., 1]).sum(axis=1)
    sizes = np.sqrt((values**2).sum(axis=1)).prod(axis=1)
    return np.divide(xy, sizes, out=np.full(len(xy), np.nan), where=sizes > 1e-300).clip(-1, 1)


def _find_interval(
    values: np.ndarray, groups: Sequence[str], method: Method, resamples: int, seed: int
) -> Interval | None:
    """Find the bias-corrected, accelerated interval (Efron 1987) over groups of models; None where undefined."""
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    members = [np.flatnonzero(codes == c) for c in range(int(codes.max()) + 1)]
    drawn = _draw(values, members, method, resamples, seed)
    whole = float(_correlate(values[None], method)[0])
    without = np.array(
        [
            float(_correlate(values[codes != c][None], method)[0]) if (codes != c).sum() > 1 else np.nan
            for c in range(len(members))
        ]
    )
    without = without[np.isfinite(without)]
    if len(drawn) < 20 or len(without) < 2:
        return None
    low, high = np.quantile(drawn, _find_levels(drawn, whole, without))
    return float(low), float(high)


def _draw(values: np.ndarray, members: Sequence[np.ndarray], method: Method, resamples: int, seed: int) -> np.ndarray:
    """Correlate draws, with replacement, of as many groups as there are.

    Left out are draws without spread, and those of fewer than three different models, whose r is 1 or -1 whatever the
    models are like.
    """
    chosen = np.random.default_rng(seed).integers(len(members), size=(resamples, len(members)))
    sizes = np.array([len(m) for m in members])
    drawn = np.zeros((resamples, len(members)), bool)
    drawn[np.arange(resamples)[:, None], chosen] = True
    chosen = chosen[drawn @ sizes >= _FEWEST_DRAWN]
    if (sizes == 1).all():
        found = _correlate(values[np.concatenate(members)[chosen]], method)
    else:
        rows = [np.concatenate([members[g] for g in row]) for row in chosen]
        found = np.array([_correlate(values[row][None], method)[0] for row in rows])
    return found[np.isfinite(found)]


def _find_levels(drawn: np.ndarray, whole: float, without: np.ndarray) -> tuple[float, float]:
    """Find the quantiles of the draws that bound 95 %, corrected for bias and for spread that grows with the value."""
    share = ((drawn < whole).mean() + (drawn <= whole).mean()) / 2
    bias = scipy.special.ndtri(np.clip(share, 1 / (len(drawn) + 1), 1 - 1 / (len(drawn) + 1)))
    skew = without.mean() - without
    size = (skew**2).sum() ** 1.5
    acceleration = (skew**3).sum() / (6 * size) if size > 0 else 0.0
    ends = [bias + scipy.special.ndtri(level) for level in (0.025, 0.975)]
    low, high = (float(scipy.special.ndtr(bias + end / (1 - acceleration * end))) for end in ends)
    return low, high
