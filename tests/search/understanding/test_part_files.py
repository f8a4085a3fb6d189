"""Errors in TOML files of parts: they name the file, the table and the field."""

from __future__ import annotations

import pytest

from twindex.core import ModelError, SourceError, UnsupportedError
from twindex.rerank import RERANKERS
from twindex.search import GeneratorRegistry, RerankerRegistry, RewriterRegistry

REFUSED = [
    (RewriterRegistry, '[rewriters.a]\nkind = "hyd"', "rewriters.a: must be an object whose kind"),
    (
        RewriterRegistry,
        '[rewriters.a]\nkind = "hyde"\nllm = {modell = "x"}',
        "rewriters.a.llm.modell",
    ),
    (RewriterRegistry, '[rewriters.a]\nkind = "hyde"\nseed = "x"', "rewriters.a.seed: must be"),
    (RerankerRegistry, '[rerankers.a]\nkind = "chain"\nstages = [{}]', "rerankers.a.stages[0].rer"),
    (
        GeneratorRegistry,
        '[generators.a]\nkind = "extractive"\n[generators.a.abstention]\nbias = 1\n'
        'features = [{name = "overlapp", weight = 1}]',
        "generators.a.abstention.features[0].name: must be a predictor of answers, got 'overlapp'; "
        "did you mean 'overlap'?; predictors are overlap, rerank_top, source_coverage, ",
    ),
    (
        GeneratorRegistry,
        '[generators.a]\nkind = "extractive"\n[generators.a.abstention]\nbias = 1\n'
        'features = [{name = "gap", weight = 1}]',
        "features[0].name: must have the form LEG.gap, such as dense.gap, got 'gap'",
    ),
]
BROKEN = [
    (
        GeneratorRegistry,
        '[generators.a]\nkind = "extractive"\nlanguage = "xx"',
        "generators.a.lang",
    ),
    (
        RewriterRegistry,
        '[rewriters.a]\nkind = "hyde"\nlanguage = "xx"\nllm = {model = "fake"}',
        "rewriters.a.language: ",
    ),
    (
        GeneratorRegistry,
        '[generators.a]\nkind = "language_model"\n'
        'llm = {model = "m", base_url = "http://a:1/v1", api_key_variable = "NO_KEY"}',
        "generators.a.llm.api_key_variable: ",
    ),
    (
        RewriterRegistry,
        '[rewriters.a]\nkind = "hyde"\nllm = {model = "m", base_url = "http://a:1"}',
        "rewriters.a.llm.base_url: ",
    ),
    (
        RerankerRegistry,
        '[rerankers.a]\nkind = "chain"\n[[rerankers.a.stages]]\ncandidates = 5\n'
        '[rerankers.a.stages.reranker]\nkind = "pointwise"\n'
        'llm = {model = "m", base_url = "http://a:1"}',
        "rerankers.a.stages[0].reranker.llm.base_url: ",
    ),
]


@pytest.mark.parametrize(("kind", "content", "message"), REFUSED)
def test_a_wrong_file_is_refused_when_it_is_read(tmp_path, kind, content, message):
    path = tmp_path / "parts.toml"
    path.write_text(content)
    with pytest.raises(SourceError) as caught:
        kind.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(("kind", "content", "message"), BROKEN)
def test_an_error_of_loading_names_file_table_and_field(tmp_path, kind, content, message):
    path = tmp_path / "parts.toml"
    path.write_text(content)
    registry = kind.read(path)
    with pytest.raises(SourceError) as caught:
        registry.get("a")
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_missing_model_names_file_and_table(tmp_path):
    path = tmp_path / "parts.toml"
    path.write_text('[backgrounds.a]\nkind = "language_model"\nllm = {model = "not-here"}')
    with pytest.raises(ModelError, match=r"parts.toml: backgrounds\.a: .*not-here"):
        GeneratorRegistry.read(path).backgrounds.get("a")
    path.write_text('[rewriters.a]\nkind = "hyde"\nllm = {model = "not-here"}')
    with pytest.raises(ModelError, match=r"parts.toml: rewriters\.a: .*not-here"):
        RewriterRegistry.read(path).get("a")
    without = RewriterRegistry(RewriterRegistry.read(path).configs)
    with pytest.raises(ModelError, match=r"^rewriter 'a': .*not-here"):
        without.get("a")


def test_the_type_of_the_error_stays():
    def unsupported(config):
        raise UnsupportedError("lacks it")

    registry = RerankerRegistry({"a": RERANKERS.parse({"kind": "fake"})}, load=unsupported)
    with pytest.raises(UnsupportedError, match="reranker 'a': lacks it"):
        registry.get("a")
