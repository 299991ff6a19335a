"""TF0xx: the settings of poetry-tf itself."""

from __future__ import annotations

import pytest

from tests.made import codes, found, in_memory, place

FINE = '[project]\ndependencies = ["tensorflow~=2.18.1"]\n'
WHEELS = '[project]\ndependencies = ["tensorflow[and-cuda]~=2.18.1"]\n'


@pytest.mark.parametrize(
    ("settings", "where", "says"),
    [
        ('[tool.poetry-tf]\ngpu = "cuda"', "pyproject.toml:4:1", 'gpu is "cuda"'),
        ("[tool.poetry-tf]\ngpu = [1]", "pyproject.toml:4:1", "gpu is [1]"),
        ("[tool.poetry-tf]\ngpu = true", "pyproject.toml:4:1", "gpu is true"),
        ("[tool.poetry-tf]\ngpu = {a = 1}", "pyproject.toml:4:1", "gpu is {a = 1}"),
        ('[tool.poetry-tf]\ncuda = "11.8"', "pyproject.toml:4:1", "unknown setting cuda"),
        ('tool.poetry-tf.gpu = "x"', "pyproject.toml:3:1", 'gpu is "x"'),
        ("[[tool.poetry-tf]]", "pyproject.toml:3:", "is not a table"),
    ],
)
def test_a_setting_that_means_nothing_is_reported_with_its_place(
    settings: str, where: str, says: str
):
    # Dotted keys belong to no section, so they come first.
    text = FINE + settings if settings.startswith("[") else f"\n\n{settings}\n{FINE}"
    (finding,) = found(in_memory(text), "TF001")
    assert place(finding).startswith(where)
    assert says in finding.message
    assert finding.edits == ()


@pytest.mark.parametrize(
    ("settings", "meant"),
    [
        ('enviroments = ["linux-x86_64"]', "environments"),
        ("gpu_required = true", "gpu-required"),
        ('Keras = "legacy"', "keras"),
        ('gpu = "sytem"', "system"),
        ('gpu = "PIP"', "pip"),
        ('engine = "dokcer"', "docker"),
        ('environments = ["linux_x86_64"]', "linux-x86_64"),
        ('environments = ["windows"]', "windows-amd64"),
        ('environments = ["linux-arm64"]', "linux-aarch64"),
        ("devcontainer = false", "off"),
    ],
)
def test_what_a_misspelt_setting_may_mean_is_said(settings: str, meant: str):
    (finding,) = found(in_memory(f"{FINE}[tool.poetry-tf]\n{settings}\n"), "TF001")
    assert finding.remedy.startswith(f'Did you mean "{meant}"? ')


@pytest.mark.parametrize("settings", ['cuda = "11.8"', 'gpu = "rocm"', "gpu = 3", "engine = []"])
def test_nothing_is_guessed_for_what_is_like_nothing(settings: str):
    (finding,) = found(in_memory(f"{FINE}[tool.poetry-tf]\n{settings}\n"), "TF001")
    assert "Did you mean" not in finding.remedy


@pytest.mark.parametrize("settings", ["[[tool.poetry-tf]]", "[tool]\npoetry-tf = 3"])
def test_settings_that_are_no_table_have_a_remedy(settings: str):
    (finding,) = found(in_memory(FINE + settings), "TF001")
    assert finding.remedy


@pytest.mark.parametrize("gpu", ["system", "none"])
def test_wheels_for_cuda_contradict_another_choice(gpu: str):
    (finding,) = found(in_memory(f'{WHEELS}[tool.poetry-tf]\ngpu = "{gpu}"'), "TF001")
    assert place(finding) == "pyproject.toml:2:17"
    assert f'gpu is "{gpu}"' in finding.message


@pytest.mark.parametrize(
    "text",
    [
        f'{WHEELS}[tool.poetry-tf]\ngpu = "pip"',
        f'{WHEELS}[tool.poetry-tf]\ngpu = "auto"',
        f"{WHEELS}[tool.poetry-tf]",
        WHEELS,
        f'{FINE}[tool.poetry-tf]\ngpu = "system"',
        f'{FINE}[tool.poetry-tf]\ngpu = "none"',
    ],
)
def test_settings_that_go_together_are_fine(text: str):
    assert "TF001" not in codes(in_memory(text))


@pytest.mark.parametrize(
    ("settings", "where", "says", "remedy"),
    [
        ('miror = "tuna"', "poetry.toml:2:1", "unknown setting miror", 'Did you mean "mirror"? '),
        ('mirror = "tunna"', "poetry.toml:2:1", "'tunna' is not a mirror", 'Did you mean "tuna"? '),
        ("mirror = ['ustc', 'tunna']", "poetry.toml:2:1", "'tunna' is", 'Did you mean "tuna"? '),
        ("mirror = 3", "poetry.toml:2:1", "3 is not a mirror", "Write auto, off, "),
        ('gpu = "pip"', "poetry.toml:2:1", "gpu has no effect", "Write it under [tool.poetry-tf]"),
        ('local-hosts = ["a"]', "poetry.toml:2:1", "local-hosts has no", "Write it into your own"),
    ],
)
def test_a_setting_of_poetry_toml_that_means_nothing_is_reported_with_its_place(
    settings: str, where: str, says: str, remedy: str
):
    (finding,) = found(in_memory(FINE, poetry_toml=f"[tf]\n{settings}\n"), "TF001")
    assert place(finding) == where
    assert finding.message.startswith(says)
    assert finding.remedy.startswith(remedy)


def test_only_the_table_of_ours_and_only_in_a_project_with_tensorflow_is_judged():
    for fine in ('[tf]\nmirror = ["tuna", "pypi"]\n', "[tff]\nx = 1\n", "[virtualenvs]\nx = 1\n"):
        assert found(in_memory(FINE, poetry_toml=fine), "TF001") == []
    wrong = "[tf]\nmiror = 1\n"
    assert found(in_memory("[project]\ndependencies = []\n", poetry_toml=wrong), "TF001") == []
    (finding,) = found(in_memory(FINE, poetry_toml='tf = "https://me:secret@x/"\n'), "TF001")
    assert (finding.message, finding.remedy) == ("tf is not a table", "Write [tf]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('mirror = "tuna"\n', "mirror has no effect here"),
        ('[TF]\nmirror = "tuna"\n', "[TF] has no effect"),
        ('[poetry-tf]\nmirror = "tuna"\n', "[poetry-tf] has no effect"),
    ],
)
def test_a_mirror_in_another_place_of_poetry_toml_is_reported(text: str, message: str):
    (finding,) = found(in_memory(FINE, poetry_toml=text), "TF001")
    assert finding.message == message
    assert finding.remedy in {"Write it under [tf]", "Write [tf]"}


@pytest.mark.parametrize(
    "name",
    [
        *("poetry_tf", "poetrytf", "Poetry-TF", "poetry-tensorflow"),
        *("poetry.tf", "poetry.poetry-tf"),
    ],
)
def test_a_table_whose_name_is_written_otherwise_is_reported(name: str):
    (finding,) = found(in_memory(f'{FINE}[tool.{name}]\ngpu = "pip"\n'), "TF001")
    assert place(finding).startswith("pyproject.toml:3:")
    assert finding.remedy == "Write [tool.poetry-tf]"


def test_a_setting_in_the_table_of_another_file_is_sent_there():
    (finding,) = found(in_memory(f'{FINE}[tool.poetry-tf]\nmirror = "tuna"\n'), "TF001")
    assert "under [tf] in poetry.toml" in finding.remedy
