"""Projections: the axes they keep, and the lengths of vectors."""

from __future__ import annotations

import numpy as np
import pytest

from twindex.core import ConfigError
from twindex.index import ProjectionConfig
from twindex.index.codecs import files
from twindex.index.codecs.projection import Projection

KINDS = ("pca", "random", "matryoshka")


def vectors(n=500, d=24, seed=0):
    random = np.random.default_rng(seed)
    scales = np.linspace(1, 0.05, d)
    return (random.standard_normal((n, d)) * scales + 0.2).astype(np.float32)


def lengths(of):
    return np.linalg.norm(of, axis=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wanted", [1, 7, 24])
def test_apply_and_lift_keep_lengths(kind, wanted):
    sample = vectors()
    sample[3] = 0
    projection = Projection.fit(sample, ProjectionConfig(kind=kind, dimensions=wanted))
    projected = projection.apply(sample)
    assert projection.width == wanted
    assert projected.shape == (500, wanted)
    assert projected.dtype == np.float32
    np.testing.assert_allclose(lengths(projected), lengths(sample), rtol=1e-5)
    lifted = projection.lift(projected)
    assert lifted.shape == sample.shape
    np.testing.assert_allclose(lengths(lifted), lengths(sample), rtol=1e-5)
    assert not projected[3].any()


@pytest.mark.parametrize("kind", KINDS)
def test_all_dimensions_keep_every_inner_product(kind):
    sample = vectors()
    projection = Projection.fit(sample, ProjectionConfig(kind=kind, share=1.0))
    projected = projection.apply(sample)
    np.testing.assert_allclose(projected @ projected.T, sample @ sample.T, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(projection.lift(projected), sample, rtol=1e-4, atol=1e-5)


def test_principal_axes_are_the_singular_vectors_about_the_origin():
    sample = vectors()
    projection = Projection.fit(sample, ProjectionConfig(dimensions=5))
    right = np.linalg.svd(sample, full_matrices=False)[2][:5]
    # Equal subspaces: a vector inside is unchanged.
    np.testing.assert_allclose(projection.lift(projection.apply(right)), right, atol=1e-4)


def test_principal_axes_lose_less_than_others():
    sample = vectors()
    unlike = vectors(seed=1)

    def error(kind):
        projection = Projection.fit(sample, ProjectionConfig(kind=kind, share=0.5))
        products = projection.apply(unlike) @ projection.apply(unlike).T
        return np.abs(products - unlike @ unlike.T).mean()

    assert error("pca") < error("random")


def test_matryoshka_takes_the_first_dimensions():
    sample = vectors()
    projection = Projection.fit(sample, ProjectionConfig(kind="matryoshka", dimensions=6))
    cut = sample[:, :6] * (lengths(sample) / lengths(sample[:, :6]))[:, None]
    np.testing.assert_allclose(projection.apply(sample), cut, rtol=1e-5)


def test_share_is_rounded_to_at_least_one_dimension():
    sample = vectors(d=10)
    assert Projection.fit(sample, ProjectionConfig(share=0.25)).width == 2
    assert Projection.fit(sample, ProjectionConfig(share=0.001)).width == 1


@pytest.mark.parametrize("kind", KINDS)
def test_more_dimensions_than_the_vectors_have_are_rejected(kind):
    with pytest.raises(ConfigError, match="keeps 25 dimensions, but the vectors have 24") as caught:
        Projection.fit(vectors(), ProjectionConfig(kind=kind, dimensions=25))
    assert caught.value.field == "projection.dimensions"


@pytest.mark.parametrize("kind", KINDS)
def test_fitting_is_deterministic_and_files_are_equal(kind, tmp_path):
    config = ProjectionConfig(kind=kind, dimensions=7)
    Projection.fit(vectors(), config).save(tmp_path / "a.npz")
    Projection.fit(vectors(), config).save(tmp_path / "b.npz")
    one, two = Projection.load(tmp_path / "a.npz"), Projection.load(tmp_path / "b.npz")
    np.testing.assert_array_equal(one.apply(vectors()), two.apply(vectors()))


def test_an_empty_sample_gives_valid_axes():
    projection = Projection.fit(np.empty((0, 4), np.float32), ProjectionConfig(dimensions=2))
    assert projection.apply(np.eye(4, dtype=np.float32)).shape == (4, 2)


def test_damaged_files_are_rejected(tmp_path):
    path = tmp_path / "projection.npz"
    Projection.fit(vectors(), ProjectionConfig(dimensions=7)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cannot be read"):
        Projection.load(path)
    files.write(path, "projection", axes=np.full((2, 4), np.nan, np.float32))
    with pytest.raises(ValueError, match=r"must contain finite float32 arrays .*'axes': 2"):
        Projection.load(path)
    files.write(path, "projection", axes=np.zeros((4, 2), np.float32))
    with pytest.raises(ValueError, match=r"must have 1 to 2 axes .* got 4"):
        Projection.load(path)
    files.write(path, "int8", axes=np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match="must be 'projection', got"):
        Projection.load(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be read"):
        Projection.load(path)
