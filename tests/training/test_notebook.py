"""The notebook holds commands and no logic of its own, and runs from top to bottom."""

import os
import re
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "training" / "notebooks" / "t4.ipynb"
ROOT = NOTEBOOK.parents[2]


def test_it_calls_the_commands_in_order_and_copies_no_logic() -> None:
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    commands = [
        found for source in code for found in re.findall(r"dobae (models pull|index build|train|ask)\b", source)
    ]
    assert list(dict.fromkeys(commands)) == ["train", "models pull", "index build", "ask"]
    for library in ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets"):
        assert not any(re.search(rf"(import|from) {library}\b", source) for source in code)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)


@pytest.mark.integration
@pytest.mark.timeout(1200)  # trains, answers and merges with the real 135M model
# Jupyter's own libraries: nothing that a user of the notebook could act on.
@pytest.mark.filterwarnings("ignore")
def test_it_runs_from_top_to_bottom_on_the_tiny_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    run = tmp_path / "run"
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    settings = {"PRESET": "tiny", "RUN": str(run), "MAX_STEPS": "2", "DTYPE": "bfloat16"}
    settings["QUESTION"] = "도배한 다음 날 벽지가 우는데 마르면 펴지나요?"  # stored in these words: never refused
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    # A busy machine cuts one line into two outputs.
    printed = "\n".join(
        "".join(output["text"] for output in cell.get("outputs", []) if output.get("name") == stream)
        for cell in notebook.cells
        for stream in ("stdout", "stderr")
    )
    assert re.search(r"^steps +2$", printed, re.MULTILINE)
    assert "dobae-184" in printed
    assert "greedy tokens the same" in printed
    for made in ("adapter/adapter_model.safetensors", "merged/model.safetensors", "adapter.tar.gz"):
        assert (run / made).is_file(), made
    # A second run of the training cell goes on from what is there rather than refusing or starting again.
    train = next(cell.source for cell in notebook.cells if "accelerate launch" in cell.source)
    assert "--resume" in train
