"""Every file in wrong/ marks its faulty lines with '# wrong: KEY ...'; the loader must find just those."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from asktell.config import load
from asktell.errors import ConfigError

MARK = "# wrong:"
FILES = sorted((Path(__file__).parent / "wrong").glob("*.yaml"))


def test_there_are_wrong_files() -> None:
    assert len(FILES) >= 25


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_message_names_file_line_key_and_remedy(file: Path) -> None:
    expected = Counter(
        (str(file), number, place)
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if MARK in line
        for place in line.split(MARK)[1].split() or [""]
    )
    with pytest.raises(ConfigError) as caught:
        load(file, environ={})
    problems = caught.value.problems
    assert Counter((item.file, item.line, item.place) for item in problems) == expected
    assert all(item.remedy for item in problems)
    text = str(caught.value)
    assert len(text.splitlines()) < 25
    assert "pydantic" not in text
    assert "nput should" not in text
