"""The page of figures and the README's table have nothing but what the kept results give."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ..house import HOUSE

BENCHMARKS = HOUSE / "benchmarks"
RESULTS = sorted((BENCHMARKS / "results").glob("*.json"))
MOST_BYTES = 60_000
NUMBER = re.compile(r"(?<![\w@.-])[-+]?\.?\d[\d,.]*(?![\w])")
"""A number that is no part of a name such as BM25, nDCG@10 or float8."""

MEASURED = re.compile(
    r"(?<![\w.])\d*\.\d{2,}\b|\b\d[\d.,]* ?(?:%|ms|us|s|seconds?|minutes?|[KMG]B)(?!\w)"
)
"""A number with decimals such as .728, a time, a size or a share."""
HOLDS_BOUNDS = ("deployment", "figures", "kinds", "limits", "rest", "scoring", "vector-storage")
"""Pages with numbers of this form that are settings, bounds or made-up examples."""
EXPLANATIONS = [
    path for path in sorted((HOUSE / "docs").glob("*.md")) if path.stem not in HOLDS_BOUNDS
]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """`benchmarks/figures.py` as a module."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import figures

    yield figures
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("figures", "run", "sections", "common"):
            del sys.modules[name]


def test_the_page_the_plots_and_the_readme_are_up_to_date(figures):
    for path, text in figures.files(figures.kept()):
        assert (HOUSE / path).read_text() == text, f"{path}: run python benchmarks/figures.py"


def test_check_fails_when_the_page_is_stale(figures, tmp_path, monkeypatch, capsys):
    for file, _ in figures.files(figures.kept()):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text((HOUSE / file).read_text())
    monkeypatch.setattr(figures, "REPOSITORY", tmp_path)
    monkeypatch.setattr(sys, "argv", ["figures.py", "--check"])
    assert figures.main() == 0
    page = tmp_path / figures.PAGE
    page.write_text(page.read_text().replace("Figures", "Numbers", 1))
    assert figures.main() == 1
    assert "stale: docs/figures.md" in capsys.readouterr().err
    assert "Numbers" in page.read_text()


def test_every_benchmark_has_a_section(figures):
    assert set(figures.ORDER) == set(figures.scripts())
    for name in figures.ORDER:
        module = figures.module_of(name)
        assert module.TITLE
        assert callable(module.section)
    for name in figures.COMPARED:
        assert callable(figures.module_of(name).compared)


def test_a_benchmark_without_a_section_is_an_error(figures, monkeypatch):
    more = {**figures.scripts(), "birdsong": BENCHMARKS / "speed" / "birdsong.py"}
    monkeypatch.setattr(figures, "scripts", lambda: more)
    with pytest.raises(SystemExit, match="birdsong"):
        figures.page({})


def test_a_benchmark_without_results_says_how_to_measure_it(figures):
    page = figures.page({})
    assert page.count("Not measured here.") == len(figures.ORDER)
    assert "Not measured here. Run: `python benchmarks/run.py lexical`." in page


def texts(path: Path) -> Iterator[str]:
    """The texts of a program that are no docstrings, with their placeholders left out."""
    tree = ast.parse(path.read_text())
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):  # A docstring.
            skipped.add(id(node.value))
        elif isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            skipped |= {id(one) for one in ast.walk(node.format_spec)}
    for node in ast.walk(tree):
        kept = isinstance(node, ast.Constant) and id(node) not in skipped
        if kept and isinstance(node.value, str):
            yield node.value


def numbers_shown(path: Path) -> Iterator[float]:
    """The numbers that a program puts in placeholders or hands to a function of `markdown.py`."""
    for node in ast.walk(ast.parse(path.read_text())):
        shown = [node.value] if isinstance(node, ast.FormattedValue) else []
        if isinstance(node, ast.Call):
            shown = node.args[:1]
        for one in shown:
            if isinstance(one, ast.Constant) and isinstance(one.value, int | float):
                yield one.value


def test_the_programs_hold_no_number_of_the_page():
    for path in [BENCHMARKS / "figures.py", *(BENCHMARKS / "sections").glob("*/*.py")]:
        for text in texts(path):
            assert not NUMBER.search(text), (path.name, text)
        assert [*numbers_shown(path)] == [], path.name


@pytest.mark.parametrize("number", ["0.7", ".728", "-1.5", "200,000", "up to 20 hits"])
def test_a_number_in_a_text_is_found(number):
    assert NUMBER.search(number)
    assert not NUMBER.search("nDCG@10 of BM25 and float8 E4M3, all-MiniLM-L6-v2, p50")


def measured(page: str) -> list[str]:
    """The measured figures in the text of a page, without its code."""
    return MEASURED.findall(re.sub(r"```.*?```|`[^`]*`", "", page, flags=re.DOTALL))


@pytest.mark.parametrize("path", EXPLANATIONS, ids=lambda path: path.stem)
def test_explanations_link_to_figures_instead_of_repeating_them(path):
    assert measured(path.read_text()) == [], "measured figures belong in benchmarks/sections"


def test_measured_figures_are_found_in_text_but_not_in_code():
    code = "`--limit 5 s`\n```\n0.25\n```\nat most 20"
    page = f"It takes 19 ms for 20 MB, 6 % more, nDCG@10 .728.\n{code}"
    assert measured(page) == ["19 ms", "20 MB", "6 %", ".728"]


@pytest.mark.parametrize("name", ["passages", "durability", "reranking"])
def test_pages_link_to_sections_of_figures(name, figures):
    titles = {re.sub(r"\W+", "-", figures.module_of(one).TITLE.lower()) for one in figures.ORDER}
    linked = re.findall(r"figures\.md#([\w-]+)", (HOUSE / "docs" / f"{name}.md").read_text())
    assert linked
    assert set(linked) <= titles


def values(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from values(one)
    else:
        yield value


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_kept_results_are_small_and_say_how_they_were_made(path, figures):
    assert path.stem in figures.scripts()
    assert path.stat().st_size < MOST_BYTES
    record = json.loads(path.read_text())
    assert set(record) == {"made", "figures"}
    made = record["made"]
    assert made["command"].startswith(f"python benchmarks/run.py {path.stem}")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", made["date"])
    assert made["minutes"] > 0
    assert made["processor"]["model"]
    assert made["versions"]["twindex"]
    folders = [one for one in values(record) if isinstance(one, str) and one.startswith("/")]
    assert folders == []


def test_a_run_keeps_figures_and_the_way_they_were_made(figures, tmp_path, monkeypatch):
    import run

    script = tmp_path / "speed" / "birdsong.py"
    script.parent.mkdir()
    script.write_text(
        "import json, sys\n"
        "open(sys.argv[-1], 'w').write(json.dumps({'hertz': 4000.1234567, 'asked': sys.argv[1]}))\n"
    )
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results")
    assert run.main(["birdsong", "--from=x", "/home/me/birds"]) == 0
    record = json.loads((tmp_path / "results" / "birdsong.json").read_text())
    assert record["figures"] == {"hertz": 4000.12, "asked": "--from=x"}
    assert record["made"]["command"] == "python benchmarks/run.py birdsong --from=x birds"
    script.write_text("raise SystemExit(3)")
    assert run.main(["birdsong"]) == 3
    assert json.loads((tmp_path / "results" / "birdsong.json").read_text()) == record
    assert run.main(["all"]) == 1
    assert run.main(["cuckoo"]) == 2


def test_the_programs_run_from_any_folder(tmp_path):
    program = BENCHMARKS / "figures.py"
    done = subprocess.run([sys.executable, program, "--check"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
